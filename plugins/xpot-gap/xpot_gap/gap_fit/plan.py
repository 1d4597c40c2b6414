"""One gap_fit run from frames and options to a checked potential."""

from __future__ import annotations

import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from xpot_core.api import (
    FitError,
    FitRequest,
    Frame,
    InfeasibleError,
    InputError,
    Limits,
    TrainingData,
    resolve,
)
from xpot_gap.descriptors.soap_turbo import SoapTurbo
from xpot_gap.gap_fit import xml
from xpot_gap.gap_fit.command import (
    CORE_FILE,
    MOST_SPARSE_GROUPS,
    DescriptorCommand,
    describe_descriptors,
    gap_fit_arguments,
    safe_names,
)
from xpot_gap.gap_fit.data_file import Counts, reference_energies, write_data_file
from xpot_gap.gap_fit.runner import (
    TAIL,
    DryRun,
    RunResult,
    check_counts,
    check_sigmas,
    gap_fit_program,
    parse_dry_run,
    run,
)
from xpot_gap.gap_fit.settings import (
    LONGEST_ARGUMENT,
    LONGEST_VALUE,
    check_descriptor_list,
    descriptor_list,
    write_settings,
)
from xpot_gap.gap_fit.sigmas import (
    all_sigmas,
    named_sigmas,
    pool_groups,
    probe_arguments,
    sigma_arguments,
    sigmas_by_group,
    sigmas_with_frames,
)
from xpot_gap.linear_system.frame_sigmas import WrittenSigmas
from xpot_gap.linear_system.rows import PROBE_SIGMAS
from xpot_gap.options import GapOptions

DATA = "train.xyz"
LOG = "fit.log"
XML = "gap.xml"
SETTINGS = "gap_fit.settings"

_THETA = re.compile(r"\btheta_fac=(?:\{\{.*?\}\}|\S+)")


@dataclass(frozen=True)
class Plan:
    """Everything that a run of gap_fit needs to know.

    Attributes
    ----------
    options
        Options of the fit.
    descriptors
        Expanded over species.
    names
        Group -> config type.
    e0
        Energy of an atom on its own, eV.
    seed
        Seed of the study.
    notes
        For the user.
    """

    options: GapOptions
    descriptors: tuple[DescriptorCommand, ...]
    names: dict[str, str]
    e0: dict[str, float]
    seed: int
    notes: tuple[str, ...]

    @classmethod
    def make(cls, request: FitRequest, data: TrainingData) -> Plan:
        """Plan a fit to `data`, the training frames."""
        options = request.options
        assert isinstance(options, GapOptions)
        if not data.frames:
            raise InputError("there is no training structure")
        if not data.elements:
            raise InputError("the training structures have no atoms")
        if options.core_param_file and not Path(options.core_param_file).is_file():
            raise InputError("no such file", key="core_param_file", value=options.core_param_file)
        _check_mappings(options, data.groups)
        names = safe_names(data.groups)
        descriptors = describe_descriptors(options, data.elements, names)
        if len(descriptor_list([d.text for d in descriptors])) > LONGEST_VALUE:
            # Each descriptor repeats the names where n_sparse goes by group.
            names = {group: f"g{i}" for i, group in enumerate(data.groups, 1)}
            descriptors = describe_descriptors(options, data.elements, names)
        check_descriptor_list(descriptor_list([d.text for d in descriptors]), len(descriptors))
        e0, notes = reference_energies(options, data)
        return cls(options, tuple(descriptors), names, e0, request.seed, notes)

    @property
    def cutoff(self) -> float:
        """Longest cutoff in Å."""
        chosen = [entry.chosen for entry in self.options.descriptors]
        return max(c.rcut_hard if isinstance(c, SoapTurbo) else c.cutoff for c in chosen)

    @property
    def core_file(self) -> Path | None:
        """File of the core potential."""
        return Path(self.options.core_param_file) if self.options.core_param_file else None

    def arguments(
        self, data_file: str, sigmas: Sequence[str] | None = None, extra: Sequence[str] = ()
    ) -> list[str]:
        """The argument list."""
        return gap_fit_arguments(
            self.options,
            self.descriptors,
            sigmas=sigma_arguments(self.options, self.names) if sigmas is None else sigmas,
            e0=self.e0,
            seed=self.seed,
            data_file=data_file,
            xml_file=XML,
            extra=extra,
        )

    @property
    def probe(self) -> list[str]:
        """Sigmas of a run for kernels or sparse points, which do not depend on them."""
        return probe_arguments(self.options, self.names, PROBE_SIGMAS)

    def write_inputs(
        self, directory: Path, frames: Sequence[Frame], data_file: str, *, virials: bool, sigmas: bool
    ) -> Counts:
        """Write data file and core potential; with `sigmas`, those of frames and what the arguments cannot hold."""
        if self.core_file is not None:
            shutil.copyfile(self.core_file, directory / CORE_FILE)
        every_frame = sigmas_with_frames(self.options, self.names)
        written = WrittenSigmas(all_sigmas(self.options, self.names), every_frame=every_frame)
        return write_data_file(
            directory / data_file,
            frames,
            self.names,
            virials=virials,
            cutoff=self.cutoff,
            sigmas=written if sigmas else None,
        )

    def foresee(self, directory: Path, arguments: Sequence[str], limits: Limits, threads: int) -> DryRun:
        """Ask gap_fit what it would need, and refuse what cannot be done.

        Raises
        ------
        InfeasibleError
            If it needs more memory than the trial may use or the machine has free, or if there are
            fewer environments than sparse points (of all groups, or of one where they are given per group).
        """
        command = self._command(directory, [*arguments, "dryrun=T"])
        # The memory of the forecast itself is not what is to be judged.
        result = run(command, directory, log_name=LOG, threads=threads, limits=Limits(limits.seconds))
        forecast = parse_dry_run(result.log)
        if len(forecast.n_descriptors) == len(self.descriptors):
            for descriptor, available in zip(self.descriptors, forecast.n_descriptors, strict=True):
                # Groups that have too few give what they have; that is told afterwards.
                wanted = descriptor.n_sparse_at_once
                if descriptor.sparse_file is None and (available == 0 or wanted > available):
                    raise InfeasibleError(
                        f"{descriptor.title}: {wanted} sparse points wanted, "
                        f"the data has {available} environments",
                        remedy="lower n_sparse, or raise the cutoff if the species are never that close",
                        log=result.log[-TAIL:],
                    )
        limit = limits.memory_bytes if limits.memory_bytes is not None else available_bytes()
        if limit is not None and forecast.peak_bytes > limit:
            whose = "the trial may use" if limits.memory_bytes is not None else "the machine has free"
            raise InfeasibleError(
                f"gap_fit would need {forecast.peak_bytes / 1e9:.2f} GB of memory, "
                f"{whose} {limit / 1e9:.2f} GB",
                remedy="lower n_sparse, n_max or l_max, or raise the limit",
                log=result.log[-TAIL:],
            )
        return forecast

    def execute(
        self, directory: Path, arguments: Sequence[str], given: Counts, limits: Limits, threads: int
    ) -> tuple[RunResult, str]:
        """Run gap_fit and check what came out.

        Returns
        -------
        result
            Log, time and memory.
        text
            The potential.
        """
        (directory / XML).unlink(missing_ok=True)
        result = run(
            self._command(directory, arguments), directory, log_name=LOG, threads=threads, limits=limits
        )
        check_counts(result.log, given)
        text = xml.read_checked(directory / XML, result.log)
        counts = xml.sparse_counts(text)
        if len(counts) != len(self.descriptors):
            raise FitError(
                f"gap_fit wrote {len(counts)} descriptors, {len(self.descriptors)} were given",
                remedy="look at the command in the log",
                log=result.log[-TAIL:],
            )
        for descriptor, taken in zip(self.descriptors, counts, strict=True):
            if taken == 0:
                raise InfeasibleError(
                    f"{descriptor.title}: the groups that n_sparse gives sparse points have no such environment",
                    remedy="give n_sparse to a group that has some, or restrict the descriptor by species",
                    log=result.log[-TAIL:],
                )
        return result, text

    def notes_on(self, text: str) -> tuple[str, ...]:
        """Notes for the user on a potential made by this plan.

        gap_fit counts equal environments once and takes fewer sparse points than asked for where the
        data, or a group, has fewer; all that it does about it is a line in the log.
        """
        short = [
            (descriptor, taken)
            for descriptor, taken in zip(self.descriptors, xml.sparse_counts(text), strict=True)
            if taken < descriptor.n_sparse_total and descriptor.sparse_method != "none"
        ]
        if not short:
            return self.notes
        per_group = not all(isinstance(descriptor.n_sparse, int) for descriptor, _ in short)
        numbers = ", ".join(f"{d.title} {taken} instead of {d.n_sparse_total}" for d, taken in short)
        return (
            *self.notes,
            f"fewer sparse points than n_sparse asks for: {numbers}; "
            f"{'a group' if per_group else 'the data'} has no more distinct environments",
        )

    def _command(self, directory: Path, arguments: Sequence[str]) -> list[str]:
        program = str(gap_fit_program(self.options.program))
        if max(map(len, arguments)) <= LONGEST_ARGUMENT:
            return [program, *arguments]
        write_settings(directory / SETTINGS, arguments)
        return [program, f"config_file={SETTINGS}"]

    def check_sigmas(self, log: str) -> None:
        """Compare the sigmas in the log with the options."""
        by_group = sigmas_by_group(self.options, self.names)
        if by_group and not sigmas_with_frames(self.options, self.names):
            named = named_sigmas(self.options, self.names)
            check_sigmas(log, {self.names[g]: values for g, values in named.items()})
        elif not by_group:
            options = self.options
            single = (options.sigma_energy, options.sigma_force, options.sigma_virial)
            check_sigmas(
                log, {"default": (resolve(single[0], ""), resolve(single[1], ""), resolve(single[2], ""))}
            )

    def with_files(self, sparse: Sequence[str], theta: Sequence[str]) -> Plan:
        """The same plan with all that gap_fit takes from the data, sparse points and length scales, in files."""
        return replace(
            self,
            descriptors=tuple(
                replace(d, sparse_file=s, settings=_THETA.sub(f"theta_file={t}", d.settings))
                for d, s, t in zip(self.descriptors, sparse, theta, strict=True)
            ),
        )


def _check_mappings(options: GapOptions, groups: Sequence[str]) -> None:
    """gap_fit takes its default for groups that a mapping forgets, and ignores names it does not know."""
    given = {f"sigma_{kind}": getattr(options, f"sigma_{kind}") for kind in ("energy", "force", "virial")}
    shared = pool_groups(options)
    for index, entry in enumerate(options.descriptors):
        key, numbers = f"descriptors.{index}.{entry.kind}.n_sparse", entry.chosen.n_sparse
        given[key] = numbers
        if isinstance(numbers, dict) and any(numbers.get(group) for group in shared):
            raise InputError("must be 0 for the groups of a pool", key=key, value=numbers)
        if entry.chosen.pool and sorted(entry.chosen.pool_groups) != sorted({*shared} & {*groups}):
            raise InputError(
                "must be groups of the data, and the same in all descriptors",
                key=key.replace("n_sparse", "pool_groups"),
                value=entry.chosen.pool_groups,
            )
    for key, value in given.items():
        giving = sum(map(bool, value.values())) if isinstance(value, dict) else 0
        if key.endswith("n_sparse") and giving > MOST_SPARSE_GROUPS:
            raise InputError(
                f"gives sparse points to {giving} groups, gap_fit takes {MOST_SPARSE_GROUPS} at most",
                key=key,
                remedy="give one number for all groups, or group the data more coarsely",
            )
        if isinstance(value, dict) and set(value) != set(groups):
            odd = sorted(set(value) ^ set(groups))[0]
            fault = "gives no value for" if odd in groups else "names a group that is not in the data:"
            raise InputError(
                f"{fault} '{odd}'", key=key, value=value, remedy=f"name every group: {', '.join(groups)}"
            )


def available_bytes() -> int | None:
    """Memory that the machine could give now; None where the system does not tell."""
    try:
        text = Path("/proc/meminfo").read_text(encoding="ascii")
    except OSError:
        return None
    for line in text.splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    return None
