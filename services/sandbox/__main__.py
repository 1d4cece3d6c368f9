"""`python -m services.sandbox`: the same command as `dunwell sandbox`."""

from services.sandbox.command import sandbox_command

if __name__ == "__main__":
    sandbox_command(prog_name="python -m services.sandbox")
