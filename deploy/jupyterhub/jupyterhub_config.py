"""A class on one server: docs/jupyterhub.md goes through it step by step.

Takes the names and limits from class.toml in the
folder that the hub runs in, where its database and its cookie secret lie as well.
"""

import os
import sys
import tomllib
from pathlib import Path

c = get_config()  # noqa: F821
HERE = Path(__file__).resolve().parent
CLASS = tomllib.loads(Path("class.toml").read_text(encoding="utf-8"))
os.umask(0o077)  # the hub's database and log are nobody else's business
LEARNERS, INSTRUCTORS = set(CLASS["learners"]), set(CLASS["instructors"])

# Only this machine can reach it: HTTPS, and with it the world, comes from a web server in front.
c.JupyterHub.bind_url = "http://127.0.0.1:8000"
c.ConfigurableHTTPProxy.command = [f"{sys.prefix}/node_modules/.bin/configurable-http-proxy"]

# Who: accounts of this machine, with their passwords (PAM), as far as class.toml names them.
c.JupyterHub.authenticator_class = "pam"
c.Authenticator.allowed_users = LEARNERS | INSTRUCTORS
c.Authenticator.allow_existing_users = False  # who is taken out of class.toml is out

# What: the learner's own process under the learner's own account. start.py puts the lessons into
# the home folder, sets the limits, and becomes the server.
c.JupyterHub.spawner_class = "localprocess"
c.Spawner.cmd = [sys.executable, str(HERE / "start.py")]
c.Spawner.default_url = "/lab/tree/rnn-workbook/00_start_here.ipynb"
c.Spawner.environment = {
    "RNN_NOTEBOOKS": CLASS.get("notebooks", str(HERE.parents[1] / "notebooks"))
}
c.Spawner.mem_limit = CLASS["memory"]
c.Spawner.start_timeout = c.Spawner.http_timeout = 120  # a busy machine needs its time
c.JupyterHub.concurrent_spawn_limit = 8  # thirty people log in at nine o'clock

# Rights. Instructors may see, start, stop and enter the learners' servers; nobody else may.
c.JupyterHub.load_groups = {
    "learners": {"users": sorted(LEARNERS)},
    "instructors": {"users": sorted(INSTRUCTORS)},
}
c.JupyterHub.load_roles = [
    {
        "name": "instructor",
        "groups": ["instructors"],
        "scopes": [
            "admin-ui",
            "list:users!group=learners",
            "read:users!group=learners",
            "servers!group=learners",
            "access:servers!group=learners",
        ],
    },
    {
        "name": "idle-culler",
        "services": ["idle-culler"],
        "scopes": ["list:users", "read:users:activity", "read:servers", "delete:servers"],
    },
]

# Servers that nobody uses give their memory back; notebooks and progress stay on disk.
c.JupyterHub.services = [
    {
        "name": "idle-culler",
        "command": [
            sys.executable,
            "-m",
            "jupyterhub_idle_culler",
            f"--timeout={60 * CLASS['idle_minutes']}",
        ],
    }
]
