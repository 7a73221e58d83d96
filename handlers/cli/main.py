"""The command line: `runyard serve`, `worker`, `migrate`, `doctor`, `backup`, `import`, `batch` and `completion`.

Exit codes: 0 done; 1 it failed (a run failed, the port is taken, no server answers); 2 what was given is
wrong (options, langgraph.json, a line of a file); 130 interrupted.
"""

import click

from runyard.handlers.cli.backup import backup
from runyard.handlers.cli.batch.commands import batch
from runyard.handlers.cli.completion import completion
from runyard.handlers.cli.doctor import doctor
from runyard.handlers.cli.importing import import_
from runyard.handlers.cli.migrate import migrate
from runyard.handlers.cli.serve import serve
from runyard.handlers.cli.worker import worker


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="runyard", message="%(prog)s %(version)s")
def main() -> None:
    """A self-hosted server for LangGraph agents: durable batches, runs and streams.

    `runyard serve` serves the graphs of a langgraph.json; `runyard doctor` says beforehand what it would meet;
    `runyard batch` sends it files of runs and collects their results; `runyard backup` copies its data while it serves.
    Where one machine is too small, `runyard import` moves the data into a Postgres, or back, `runyard worker` executes
    runs on others, and `runyard migrate` brings the database up to date beforehand.
    """


main.add_command(serve)
main.add_command(worker)
main.add_command(migrate)
main.add_command(doctor)
main.add_command(backup)
main.add_command(import_)
main.add_command(batch)
main.add_command(completion)
