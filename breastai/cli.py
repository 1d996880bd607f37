"""The command line: which commands there are, and how a fault becomes a message and an exit status.

Exit status: 0 done, 1 failed, 2 bad input, 130 stopped. Nothing heavy is imported before a command needs it, so that
`breastai --help` answers at once.
"""

import contextlib
import gc
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, get_args

import typer

from breastai import __version__
from breastai.commands import (
    adapt,
    audit,
    backup,
    bench,
    compare,
    crossval,
    data,
    deidentify,
    doctor,
    doubts,
    evaluate,
    explain,
    export,
    plan,
    predict,
    pretrained_weights,
    readers,
    report,
    review,
    runs_list,
    sample_data,
    serve,
    settings_list,
    train,
    tune,
    verify,
    watch,
)
from breastai.commands.help_examples import add_examples, command_name
from breastai.commands.language import set_language
from breastai.commands.options import TyperException
from breastai.commands.output import show_failure
from breastai.commands.stop_signals import STOPPED
from breastai.commands.usage_text import usage_text
from breastai.domain.errors import BreastAIError, CommandInvalid, InternalError, MissingExtra
from breastai.domain.text import Text
from breastai.storage.workspace import remove_unused_folders
from breastai.texts.catalogue import languages, system_language

_APP: dict[str, Any] = {
    "name": "breastai",
    "no_args_is_help": True,
    "add_completion": True,
    "pretty_exceptions_enable": False,
    "rich_markup_mode": None,
}
app = typer.Typer(**_APP)
for module in (
    train,
    tune,
    crossval,
    evaluate,
    adapt,
    compare,
    readers,
    plan,
    audit,
    doubts,
    data,
    report,
    predict,
    explain,
    watch,
    export,
    verify,
    serve,
    review,
    bench,
    deidentify,
    doctor,
    settings_list,
    runs_list,
    sample_data,
    pretrained_weights,
    backup,
):
    module.register(app)
add_examples(app)


def show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"breastai {__version__}")
        raise typer.Exit


def choose(wanted: str | None) -> str | None:
    """Speak the language of --lang; raise BadParameter where no catalogue is in it."""
    if wanted is not None:
        if wanted not in languages():
            raise typer.BadParameter(f"expected one of {', '.join(languages())}, got {wanted!r}")
        set_language(wanted)
    return wanted


@app.callback()
def root(
    lang: Annotated[
        str | None,
        typer.Option(
            "--lang",
            metavar="LANGUAGE",
            help=f"Language of what is printed: {', '.join(languages())} [default: that of LC_ALL, LC_MESSAGES or LANG].",
            is_eager=True,
            callback=choose,
        ),
    ] = None,
    version: Annotated[
        bool, typer.Option("--version", help="Show the version and exit.", is_eager=True, callback=show_version)
    ] = False,
) -> None:
    """Train breast-image classifiers and defend the figures. Research software, not a medical device."""


def main() -> None:
    """Run the command of this process and exit with its status."""
    from breastai.storage.control_groups import limit_library_threads
    from breastai.storage.private_files import keep_files_private

    keep_files_private()
    limit_library_threads()
    status = run(sys.argv[1:])
    gc.freeze()  # what torch brought is not searched for cycles once more, which takes seconds after the last word
    sys.exit(status)


def run(arguments: Sequence[str]) -> int:
    """Run one command; return its exit status. A fault ends as a message on stderr, or as an error event with --json."""
    as_json = "--json" in arguments
    set_language(system_language(os.environ))
    try:
        status = _app_for(arguments)(list(arguments), prog_name="breastai", standalone_mode=False)
    except BreastAIError as error:
        remove_unused_folders()
        show_failure(error, as_json)
        return error.exit_status
    except ModuleNotFoundError as fault:
        missing = _missing_extra(fault) or _logged(fault, arguments)
        show_failure(missing, as_json)
        return missing.exit_status
    except TyperException as fault:
        return _refuse(fault, as_json)
    except (KeyboardInterrupt, typer.Abort):
        return STOPPED
    except BrokenPipeError:
        # Whoever read our output left, as `head` does. Nothing more can be said, the interpreter's last flush included.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except Exception as fault:
        known = _not_taken(fault, arguments) or _known(fault, arguments) or _logged(fault, arguments)
        show_failure(known, as_json)
        return known.exit_status
    return status if isinstance(status, int) else 0


def _app_for(arguments: Sequence[str]) -> typer.Typer:
    """Return an application of the command asked for alone where that is plain from the first argument.

    The options of the other commands take longer to read than an answer of `predict` to compute.
    """
    named = [command for command in app.registered_commands if arguments and command_name(command) == arguments[0]]
    if not named:
        return app
    alone = typer.Typer(**_APP)
    alone.registered_callback = app.registered_callback
    alone.registered_commands = named
    return alone


def _refuse(fault: TyperException, as_json: bool) -> int:
    """Tell of arguments that can't be understood; without any, the message is the help."""
    context = getattr(fault, "ctx", None)
    command = context.command_path if context is not None else "breastai"
    problem = fault.format_message().strip()
    if not problem or type(fault).__name__ == "NoArgsIsHelpError":
        typer.echo(problem)
        return fault.exit_code
    show_failure(CommandInvalid(usage_text(problem), f"{command} --help"), as_json)
    return CommandInvalid.exit_status


def _missing_extra(fault: ModuleNotFoundError) -> MissingExtra | None:
    """Return what to install, unless the module is one of our own."""
    package = (fault.name or "").partition(".")[0]
    return MissingExtra(package, "train") if package and package != "breastai" else None


def _not_taken(fault: Exception, arguments: Sequence[str]) -> CommandInvalid | None:
    """Return which option a job can't take as it was written; None where the fault is another."""
    from pydantic import ValidationError

    from breastai.domain.jobs import AnyJob
    from breastai.domain.validation_errors import describe_problems

    if not isinstance(fault, ValidationError):
        return None
    kind = next((each for each in get_args(get_args(AnyJob)[0]) if each.__name__ == fault.title), None)
    if kind is None:
        return None
    command = next((command_name(each) for each in app.registered_commands if command_name(each) in arguments), None)
    problem = Text("command.not_taken", {"problem": describe_problems(fault, kind)[0]})
    return CommandInvalid(problem, f"breastai {command} --help" if command else "breastai --help")


def _known(fault: Exception, arguments: Sequence[str]) -> BreastAIError | None:
    """Return what the system refused; None where the fault is ours."""
    from breastai.storage.system_faults import as_system_fault
    from breastai.storage.workspace import Workspace

    return as_system_fault(fault, Workspace(_workspace_in(arguments).absolute()))


def _logged(fault: Exception, arguments: Sequence[str]) -> InternalError:
    """Write the traceback to a log file and return the error that names it."""
    import tempfile
    import traceback
    from datetime import UTC, datetime

    from breastai.storage.private_files import open_private, private_folder

    text = f"{datetime.now(UTC).isoformat(timespec='seconds')} breastai {__version__} {list(arguments)}\n"
    text += "".join(traceback.format_exception(fault)) + "\n"
    for folder in (_workspace_in(arguments) / "logs", Path(tempfile.gettempdir())):
        file = folder / "faults.log"
        with contextlib.suppress(OSError):
            private_folder(folder)
            with open_private(file, "a", encoding="utf-8", errors="backslashreplace") as log:
                log.write(text)
            return InternalError(f"{type(fault).__name__}: {fault}"[:300], file.as_posix())
    sys.stderr.write(text)
    return InternalError(f"{type(fault).__name__}: {fault}"[:300], "none: no folder could be written")


def _workspace_in(arguments: Sequence[str]) -> Path:
    """Return the workspace named in the arguments, as a command would have understood it."""
    for argument, following in zip(arguments, [*arguments[1:], ""], strict=True):
        if argument == "--workspace":
            return Path(following).expanduser()
        if argument.startswith("--workspace="):
            return Path(argument.partition("=")[2]).expanduser()
    return Path()
