"""The class server as a trial on this machine. NOT FOR PRODUCTION: one password for all, and all
servers run under the account that started the hub.

What is tried is deploy/jupyterhub/jupyterhub_config.py; only accounts, homes and ports are others.
"""

import os
from pathlib import Path

load_subconfig(os.environ["TRIAL_CONFIG"])  # noqa: F821
c = get_config()  # noqa: F821

port = {name: os.environ[f"TRIAL_PORT_{name}"] for name in ("PUBLIC", "HUB", "PROXY")}
c.JupyterHub.bind_url = f"http://127.0.0.1:{port['PUBLIC']}"
c.JupyterHub.hub_bind_url = f"http://127.0.0.1:{port['HUB']}"
c.ConfigurableHTTPProxy.api_url = f"http://127.0.0.1:{port['PROXY']}"

c.JupyterHub.authenticator_class = "shared-password"  # any name of class.toml, one password
c.SharedPasswordAuthenticator.user_password = os.environ["TRIAL_PASSWORD"]
c.JupyterHub.spawner_class = "simple"
c.SimpleLocalProcessSpawner.home_dir_template = str(Path("homes/{username}").absolute())
if os.getuid() == 0:
    c.Spawner.args = ["--allow-root"]
