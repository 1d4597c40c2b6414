"""Whether energies, forces and virials speak of the same physics: signs and units.

Near structures tell it without a model (`near_pairs`), a rough model fitted to the forces tells it otherwise
(`rough_model`), and open structures tell it exactly. What no test can tell is not accused: it is *not checked*, with
the reason.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from xpot_core.data.checks.near_pairs import compared
from xpot_core.setup.doctor.findings import Findings
from xpot_core.setup.doctor.relations import FEWEST, Relation, against_energies, against_forces, open_virials
from xpot_core.setup.doctor.units import agrees, explain, look_alike
from xpot_core.system.progress import listener, told
from xpot_core.types.structures import Frame

_REMEDY = {
    "energies": "energies must be those of the whole cell in eV",
    "forces": "forces must be in eV/Å",
    "virials": "virials must be in eV per cell, positive under compression (a stress: in eV/Å^3 with ASE's sign)",
}
_MANY = 1000
"""Structures from which on it is said that a part of them was looked at."""
Pair = tuple[str, str]
"""Two of energies, forces, virials: a ratio of the first over what the second implies."""
_ENERGY_FORCE: Pair = ("energies", "forces")
_ENERGY_VIRIAL: Pair = ("energies", "virials")
_VIRIAL_FORCE: Pair = ("virials", "forces")


@dataclass(frozen=True)
class Fault:
    """Quantities that contradict others.

    Attributes
    ----------
    what
        The wrong quantity.
    others
        What it contradicts.
    ratio
        Given over right values.
    sure
        Whether a third quantity tells which of the two is wrong.
    """

    what: str
    others: tuple[str, ...]
    ratio: float
    sure: bool


@dataclass(frozen=True)
class Verdict:
    """What can be said of some structures.

    Attributes
    ----------
    relations
        For each two quantities that were compared: their relation.
    faults
        What is wrong.
    """

    relations: dict[Pair, Relation]
    faults: tuple[Fault, ...]

    def checked(self, *names: str) -> bool:
        """Whether each of these quantities was compared with another."""
        known = {q for pair, r in self.relations.items() if r.value is not None for q in pair}
        return set(names) <= known

    def reason(self, name: str) -> str:
        """Why a quantity was not checked."""
        return next((r.reason for pair, r in self.relations.items() if name in pair), "no other quantity")


def check_consistency(frames: Sequence[Frame], findings: Findings) -> None:
    """Warn of energies, forces and virials that contradict each other; say what could not be checked."""
    several = [f for f in frames if f.energy is not None or f.forces is not None]
    verdicts = verdicts_of(several)
    parts = [[f for f in several if f.group == group] for group in verdicts if group]
    looked, able = sum(map(compared, parts)), sum(map(len, parts))
    if able > _MANY and looked < able:
        findings.facts.append(
            f"signs and units were judged by {looked} of {able} structures, at most 40 alike of each group; all else "
            "was looked for in every structure"
        )
    told = _together(verdicts)
    for fault, groups in told:
        everywhere = "" in groups or len(groups) == len({f.group for f in several})
        own = several if everywhere else [f for f in several if f.group in groups]
        sentence = _sentence(fault, own)
        findings.warn(sentence if everywhere else f"{_in_groups(groups)}: {sentence}")
    for name in ("energies", "forces", "virials"):
        own = [f for f in several if _has(name, [f])]
        alike = look_alike(name, own) if own else ""
        if alike and not told:
            findings.facts.append(
                f"{alike} would look alike here: no test can determine the unit of {name} from it"
            )
        if all(not v.checked(name) for v in verdicts.values()) and _has(name, several):
            reasons = list(dict.fromkeys(v.reason(name) for v in verdicts.values()))
            findings.facts.append(
                f"sign and unit of {name} not checked: {reasons[0] if reasons else 'too few structures'}"
            )


def _together(verdicts: dict[str, Verdict]) -> list[tuple[Fault, list[str]]]:
    """Faults of the same kind in several groups as one, with the middle of their ratios."""
    kinds: dict[tuple[object, ...], list[tuple[Fault, str]]] = {}
    for group, verdict in verdicts.items():
        for fault in verdict.faults:
            kinds.setdefault((fault.what, fault.sure, fault.ratio < 0), []).append((fault, group))
    sure = {what for what, is_sure, _ in kinds if is_sure}
    found = []
    for (_, is_sure, _), members in kinds.items():
        # a group that cannot tell which of two is wrong adds nothing to one that can
        if is_sure or not sure & {members[0][0].what, *members[0][0].others}:
            middle = sorted(members, key=lambda m: m[0].ratio)[len(members) // 2][0]
            found.append((middle, [group for _, group in members]))
    return found


def verdicts_of(frames: Sequence[Frame]) -> dict[str, Verdict]:
    """Verdicts by group; under "" that of small groups together, or of all where single groups tell too little."""
    groups = sorted({f.group for f in frames})
    found = {}
    members = {group: [f for f in frames if f.group == group] for group in groups}
    waited = told(
        members.items(), listener(), "signs and units: structure", len(frames), lambda item: len(item[1])
    )
    for group, own in waited:
        if len(own) >= FEWEST:
            found[group] = judge(own)
    rest = [f for f in frames if f.group not in found]
    if len(rest) >= FEWEST:
        found[""] = judge(rest)
    names = [n for n in ("energies", "forces", "virials") if _has(n, frames)]
    if not any(v.faults for v in found.values()) and any(
        all(not v.checked(n) for v in found.values()) for n in names
    ):
        whole = judge(frames) if len(groups) > 1 and len(frames) >= FEWEST else None
        if whole is not None:
            found[""] = whole
    return found


def judge(frames: Sequence[Frame]) -> Verdict:
    """Compare what the structures of one kind have, and find which quantity is wrong."""
    relations: dict[Pair, Relation] = {}
    if _has("energies", frames):
        relations[_ENERGY_FORCE], relations[_ENERGY_VIRIAL] = against_energies(frames)
    if _has("virials", frames):
        relations[_VIRIAL_FORCE] = open_virials(frames)
    else:
        relations.pop(_ENERGY_VIRIAL, None)
    if _has("forces", frames):
        ready = [r.value for r in relations.values()]
        # two of three relations say everything, if they are good
        if ready.count(None) > max(len(ready) - 2, 0) or any(v is not None and not agrees(v) for v in ready):
            energy, virial = against_forces(frames)
            for pair, relation in ((_ENERGY_FORCE, energy), (_VIRIAL_FORCE, virial)):
                if pair in relations and relations[pair].value is None:
                    relations[pair] = relation
    return Verdict(relations, _faults({p: r.value for p, r in relations.items() if r.value is not None}))


def _faults(known: dict[Pair, float]) -> tuple[Fault, ...]:
    ratios = dict(known)
    # any two relations give the third
    if _ENERGY_FORCE in known and _ENERGY_VIRIAL in known:
        ratios.setdefault(_VIRIAL_FORCE, known[_ENERGY_FORCE] / known[_ENERGY_VIRIAL])
    elif _ENERGY_FORCE in known and _VIRIAL_FORCE in known:
        ratios[_ENERGY_VIRIAL] = known[_ENERGY_FORCE] / known[_VIRIAL_FORCE]
    elif _ENERGY_VIRIAL in known and _VIRIAL_FORCE in known:
        ratios[_ENERGY_FORCE] = known[_ENERGY_VIRIAL] * known[_VIRIAL_FORCE]
    bad = [p for p, r in ratios.items() if not agrees(r)]
    if not bad or all(agrees(r) for r in known.values()):
        return ()
    good = [p for p in ratios if p not in bad]
    if len(ratios) == 3 and len(good) == 1:
        (culprit,) = {"energies", "forces", "virials"} - set(good[0])
        ratio = next(_ratio(p, r, culprit) for p, r in known.items() if culprit in p)
        return (Fault(culprit, good[0], ratio, True),)
    return tuple(Fault(p[0], (p[1],), known[p], False) for p in bad if p in known)


def _ratio(pair: Pair, ratio: float, culprit: str) -> float:
    return ratio if pair[0] == culprit else 1.0 / ratio


def _has(name: str, frames: Sequence[Frame]) -> bool:
    values = {"energies": "energy", "forces": "forces", "virials": "virial"}[name]
    return any(getattr(f, values) is not None for f in frames)


def _sentence(fault: Fault, frames: Sequence[Frame]) -> str:
    others = " and ".join(fault.others)
    opposite = fault.ratio < 0
    if opposite and agrees(-fault.ratio):
        text = f"{fault.what} have the opposite sign of what the {others} imply"
        likely = ""
    else:
        text = f"{fault.what} are {fault.ratio:.3g} times what the {others} imply"
        likely = explain(fault.what, fault.ratio, frames)
        if not fault.sure and not likely:
            other = explain(fault.others[0], 1.0 / fault.ratio, frames)
            likely = f"or {fault.others[0]} are {other}" if other else ""
    if fault.sure:
        return f"{text}{f', like {likely}' if likely else ''}: {_REMEDY[fault.what]}"
    return (
        f"{text}{f' ({likely})' if likely else ''}: one of both is wrong; "
        f"{_REMEDY[fault.what]}, {_REMEDY[fault.others[0]]}"
    )


def _in_groups(groups: Sequence[str]) -> str:
    shown = ", ".join(f"'{g}'" for g in groups[:3]) + (
        f" and {len(groups) - 3} more" if len(groups) > 3 else ""
    )
    return f"group{'s' if len(groups) > 1 else ''} {shown}"
