"""`hoptim completion`: the script with which a shell completes the commands."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

VARIABLE = "_HOPTIM_COMPLETE"  # by which the shell's script asks this program what may come next


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print a script that lets a shell complete what is typed.

    It completes commands, options and folders. In ~/.bashrc: eval "$(hoptim completion bash)"; in ~/.zshrc
    the same with zsh.
    """
    kind = get_completion_class(shell)
    if kind is None:
        raise click.UsageError(f"This version of click cannot complete in {shell}.")
    click.echo(kind(ctx.find_root().command, {}, "hoptim", VARIABLE).source())
