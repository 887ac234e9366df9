"""``nasfusion presets``."""

from __future__ import annotations

from nas_fusion.cli.command import Command
from nas_fusion.cli.console import output, print_plain


def presets() -> None:
    """List the presets: what they set, and where that is from."""
    with output() as console:
        from nas_fusion.studies import load_preset, preset_names

        for preset in map(load_preset, preset_names()):
            print_plain(console, f"{preset.name}: {preset.summary}")
            print_plain(console, f"  from: {preset.source}")
            own = {f"{s}.{n}": v for s, values in preset.parameters.items() for n, v in values.items()}
            for name, value in {**preset.settings, **own}.items():
                print_plain(console, f"  {name} = {value}")


PRESET_LIST = Command(presets, "nasfusion presets")
