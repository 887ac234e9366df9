"""Looking ahead: what a study will do, and about how long it takes; measured in a few seconds, before it begins."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import torch

from nas_fusion.errors import NasFusionError, words_of
from nas_fusion.records import ChosenRecipe
from nas_fusion.report import duration
from nas_fusion.search import Budget
from nas_fusion.settings import RunSettings
from nas_fusion.settings.dotted_names import quick_settings
from nas_fusion.studies.queue.workplace import Workplace
from nas_fusion.studies.setup.assembly import Assembly
from nas_fusion.studies.setup.jobs import make_job
from nas_fusion.studies.timing.forecast import EPOCHS, Forecast
from nas_fusion.studies.timing.pace import Pace, SearchPace
from nas_fusion.studies.timing.paces import REFERENCE, Paces, measured_paces
from nas_fusion.system.cores import is_said_by_user, usable_cores
from nas_fusion.system.deadline import Deadline, TimeIsUp, until

SHARE, FEWEST_SECONDS = 0.01, 3.0
"""Of what a study takes by the first glance, timing may take this part, but always a few seconds."""

SHARE_OF_LIMIT = 0.02
"""Of a time limit."""

logger = logging.getLogger("nas_fusion")


def foresight(
    place: Workplace, say: Callable[[str], None] | None, processes: int, deadline: Deadline
) -> Forecast | None:
    """What a comparison will do, said before it begins; None where nobody asks, or nothing is left to be done.

    Args:
        place: where it is computed.
        say: told, in lines; None: nobody is.
        processes: that compute side by side.
        deadline: of the comparison.
    """
    cells = len(place.assembly.settings.strategies) * len(place.assembly.settings.seeds)
    finished = place.folder.finished_cells()
    if (say is None and not deadline.is_set) or finished >= cells:
        return None
    forecast = foreseen(place, processes, deadline)
    if say is not None:
        for line in foresight_words(forecast, processes, finished):
            say(line)
    return forecast


def foreseen(place: Workplace, processes: int, deadline: Deadline) -> Forecast:
    """As `foresee`; where nothing can be told it knows nothing, and will learn from what is finished.

    Args:
        place: where it is computed.
        processes: that compute side by side.
        deadline: of everything, of which the timing takes a small part.
    """
    try:
        return foresee(place.assembly, processes, SHARE_OF_LIMIT * deadline.left)
    except NasFusionError as error:
        logger.warning("how long it will take cannot be told: %s", words_of(error))
        return Forecast(Paces(place.assembly, Pace(0.0, 0.0, 0.0)))


def foresee(assembly: Assembly, processes: int = RunSettings.processes, most: float = math.inf) -> Forecast:
    """Time what a comparison is made of; no result depends on it.

    The reference is trained to its end, if that takes a hundredth of the whole or a few seconds: it tells about how
    many epochs the others will take.

    Args:
        assembly: of the comparison.
        processes: that will compute side by side, sharing the cores.
        most: seconds that the timing may take.

    Raises:
        NasFusionError: not even the reference can be trained on a piece of the log.
    """
    with _threads_of_one(processes):
        paces = measured_paces(assembly, lambda known: min(most, _allowed(Forecast(known), processes)))
        forecast = Forecast(paces)
        return replace(forecast, epochs=_pilot(forecast, min(most, _allowed(forecast, processes))))


def _allowed(glance: Forecast, processes: int) -> float:
    return max(FEWEST_SECONDS, SHARE * glance.whole(processes))


def _pilot(forecast: Forecast, seconds: float) -> float:
    """Epochs that the reference takes by the settings as they are; a guess where finding out takes longer."""
    assembly = replace(forecast.assembly, settings=forecast.assembly.settings.of_one_network())
    rows, job = len(assembly.dataset.train), make_job(assembly, REFERENCE, assembly.settings.seeds[0])
    epochs: list[int] = []
    try:
        with until(Deadline(seconds)):
            job.retrain(job.search(), lambda record: epochs.append(record.samples // rows))
    except TimeIsUp:
        return max([EPOCHS, *epochs])  # so many it took at the least
    except NasFusionError:
        return EPOCHS
    return float(epochs[-1])


def after_sweep(forecast: Forecast, assembly: Assembly, recipe: ChosenRecipe | None) -> Forecast:
    """The forecast for the chosen recipe: its models may be wider, and train longer.

    Args:
        forecast: from before.
        assembly: by the chosen recipe.
        recipe: what was chosen, and how that was trained; None where nothing was.
    """
    if recipe is None:
        return forecast
    before, now = forecast.paces, measured_paces(assembly, lambda known: 0.0).reference
    factor = now.row / max(before.reference.row, 1e-12)
    paces = Paces(
        assembly,
        now,
        {name: _slower(pace, factor) for name, pace in before.models.items()},
        {name: SearchPace(factor * pace.row) for name, pace in before.searches.items()},
        before.wholes,
    )
    ended = [one.epochs for one in recipe.tried if dict(one.values) == dict(recipe.values) and one.ended != "failed"]
    return Forecast(paces, float(ended[0]) if ended else forecast.epochs)


def _slower(pace: Pace, factor: float) -> Pace:
    return Pace(pace.start, factor * pace.row, factor * pace.valid_row)


def foresight_words(forecast: Forecast, processes: int = RunSettings.processes, finished: int = 0) -> list[str]:
    """What a comparison will do and about how long, in sentences.

    Args:
        forecast: of it.
        processes: that compute side by side.
        finished: how many cells are finished already.
    """
    settings = forecast.assembly.settings
    names, seeds = settings.strategies, settings.seeds
    cells = len(names) * len(seeds)
    left = 1 - finished / cells
    about = duration(forecast.whole(processes) * left)
    done = f", {finished} of them finished" if finished else ""
    counted = f"{len(names)} strateg{'y' if len(names) == 1 else 'ies'}, {len(seeds)} seed{'s' * (len(seeds) > 1)}"
    words = [f"{cells} cells ({counted}){done}: about {about} on {_cores(processes)}{_steps(forecast)}"]
    words.append("this is a guess: a training ends when its validation no longer improves")
    quick = with_quick_settings(forecast)
    if quick.whole(processes) < forecast.whole(processes) / 2 and not finished:
        words[0] += f"; --quick: about {duration(quick.whole(processes))}"
    return words


def tuning_words(forecast: Forecast) -> str:
    """What a tuning will do and about how long."""
    trials = forecast.assembly.settings.tune
    (strategy,) = [name for name in forecast.assembly.settings.strategies if name != REFERENCE][:1] or [REFERENCE]
    entry = forecast.assembly.entries[strategy]
    whole = trials * (forecast.search(entry) + forecast.retraining(entry, 1))
    return f"{trials} trials of {strategy}: at most about {duration(whole)} on {_cores(1)}; those behind end early"


def with_quick_settings(forecast: Forecast) -> Forecast:
    """The forecast of the same comparison with `--quick`."""
    assembly = forecast.assembly
    settings = quick_settings(assembly.settings)
    budget = Budget.parse(settings.budget, len(assembly.dataset.train))
    quick = replace(assembly, settings=settings, budget=budget)
    return replace(forecast, paces=replace(forecast.paces, assembly=quick))


def _steps(forecast: Forecast) -> str:
    """What comes before the cells, if anything does."""
    parts = {"to choose the recipe": forecast.sweep(), "to tune": forecast.tunings()}
    told = [f"{duration(seconds)} {what}" for what, seconds in parts.items() if seconds]
    return f", {' and '.join(told)} included" if told else ""


def _cores(processes: int) -> str:
    threads = torch.get_num_threads() if processes == 1 else usable_cores()
    return f"{threads} core{'s' * (threads != 1)}"


@contextmanager
def _threads_of_one(processes: int) -> Iterator[None]:
    """As many threads as one of so many processes has."""
    before = torch.get_num_threads()
    if processes > 1 and not is_said_by_user():
        torch.set_num_threads(max(1, usable_cores() // processes))
    try:
        yield
    finally:
        torch.set_num_threads(before)
