"""For authors and instructors: builds the notebooks from the lessons' sources."""
