"""Write docs/mistakes.md, the page of known mistakes: `python -m utils.authoring.mistakes`."""

from pathlib import Path

from utils.checks.registry import EXERCISES, LESSONS

PAGE = Path(__file__).parents[2] / "docs" / "mistakes.md"

HEAD = """# Known mistakes

For instructors: every mistake that the checks know by name, with the hint a learner gets. Written
by `make build` from `utils/checks/`; {mistakes} mistakes in {exercises} exercises.
"""


def page() -> str:
    """The whole page, as Markdown."""
    count = sum(len(exercise.mistakes) for exercise in EXERCISES.values())
    parts = [HEAD.format(mistakes=count, exercises=len(EXERCISES))]
    for title, lesson in LESSONS.items():
        parts.append(f"## Lesson {title}\n")
        for exercise in lesson.EXERCISES:
            parts.append(f"### {exercise.number} `{exercise.name}`\n")
            parts += [f"- **{m.name}**: {m.hint}" for m in exercise.mistakes] + [""]
    return "\n".join(parts)


if __name__ == "__main__":
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(page(), encoding="utf-8", newline="\n")
