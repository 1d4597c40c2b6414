"""The catalogue: providers by kind and name, and the objects made of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, TypeVar

import pluggy

from xpot_core.errors import InputError, NotInstalledError, nearest
from xpot_core.options.check import validate_options
from xpot_core.plugins.interfaces.provider import (
    KINDS,
    Component,
    FitterProvider,
    Kind,
    PredictorProvider,
    Provider,
)
from xpot_core.plugins.registry.discover import PluginRecord, PluginState

PUBLISHED: dict[Kind, dict[str, str]] = {
    "fitter": {
        "snap": "xpot-snap",
        "fitsnap": "xpot-fitsnap",
        "gap": "xpot-gap",
        "ace": "xpot-ace",
        "mace": "xpot-mace",
    },
    "predictor": {
        "ace": "xpot-ace",
        "gap": "xpot-gap",
        "lammps": "xpot-lammps",
        "mace": "xpot-mace",
        "snap": "xpot-snap",
    },
    "optimizer": {
        "gp": "xpot-skopt",
        "skopt-gp": "xpot-skopt",
        "skopt-forest": "xpot-skopt",
        "optuna-tpe": "xpot-optuna",
        "optuna-cmaes": "xpot-optuna",
        "optuna-gp": "xpot-optuna",
        "optuna-nsga2": "xpot-optuna",
        "hyperopt-tpe": "xpot-hyperopt",
        "hyperopt-anneal": "xpot-hyperopt",
        "hyperopt-random": "xpot-hyperopt",
    },
    "executor": {"dask": "xpot-dask"},
    "importer": {
        "fitsnap": "xpot-fitsnap",
        "gap-fit": "xpot-gap",
        "xpot": "xpot-v1",
        "optuna": "xpot-optuna",
        "pacemaker": "xpot-ace",
        "mace-run-train": "xpot-mace",
    },
    "validator": {
        "dimer": "xpot-lammps",
        "equation-of-state": "xpot-lammps",
        "elastic": "xpot-lammps",
        "vacancy": "xpot-lammps",
        "phonons": "xpot-lammps",
        "lammps-speed": "xpot-lammps",
        "lammps-md": "xpot-lammps",
        "lammps-melt-quench": "xpot-lammps",
    },
}
"""Names that are not installed are answered with the distribution that has them; of several that are, a study that
names none gets the first."""

DASHBOARD = "xpot-optuna[dashboard]"
"""What to install where no plugin has a dashboard."""

P = TypeVar("P", bound=Provider)


@dataclass
class Registry:
    """Every provider in use, and the plugin manager that the verbs go through."""

    manager: pluggy.PluginManager
    records: list[PluginRecord] = field(default_factory=list)
    _providers: dict[Kind, dict[str, tuple[Provider, PluginRecord]]] = field(
        default_factory=lambda: {kind: {} for kind in KINDS}
    )

    @property
    def hook(self) -> Any:
        """Pluggy's hook callers."""
        return self.manager.hook

    def add(self, kind: Kind, provider: Provider, record: PluginRecord) -> None:
        """Take a provider into the catalogue."""
        self._providers[kind][provider.name] = (provider, record)
        record.providers.setdefault(kind, []).append(provider.name)

    def forget(self, record: PluginRecord) -> None:
        """Drop the providers of a plugin that turned out to be broken."""
        for by_name in self._providers.values():
            for name in [n for n, (_, owner) in by_name.items() if owner is record]:
                del by_name[name]
        record.providers.clear()

    def owner(self, kind: Kind, name: str) -> PluginRecord | None:
        """The plugin that registered a name."""
        entry = self._providers[kind].get(name)
        return entry[1] if entry else None

    def names(self, kind: Kind) -> tuple[str, ...]:
        """Names of a kind, sorted."""
        return tuple(sorted(self._providers[kind]))

    def preferred(self, kind: Kind) -> list[str]:
        """Names of a kind that can be used here: those of `PUBLISHED` in its order, then others by their names.

        The toys for tests are not among them.
        """
        published = list(PUBLISHED.get(kind, ()))
        found = [
            name
            for name, (provider, owner) in sorted(self._providers[kind].items())
            if owner.plugin != "testing" and not provider.missing()
        ]
        return sorted(found, key=lambda n: published.index(n) if n in published else len(published))

    def default_fitter(self) -> str:
        """The fitter of a study that names none: the first of the `preferred`.

        Raises
        ------
        NotInstalledError
            If there is none.
        """
        fitters = self.preferred("fitter")
        if not fitters:
            remedy = (
                f"pip install {' or '.join(PUBLISHED['fitter'].values())}; `xpot plugins` lists what is here"
            )
            raise NotInstalledError("no fitter is installed", remedy=remedy)
        return fitters[0]

    def provider(self, kind: Kind, name: str) -> Provider:
        """Look up a provider.

        Raises
        ------
        NotInstalledError
            If no plugin registers the name, with the pip line or the nearest name.
        """
        entry = self._providers[kind].get(name)
        if entry is not None:
            return entry[0]
        for record in self.records:
            if record.plugin == PUBLISHED.get(kind, {}).get(name, "?").removeprefix("xpot-") and (
                record.state in (PluginState.BROKEN, PluginState.INCOMPATIBLE, PluginState.DISABLED)
            ):
                raise NotInstalledError(
                    f"{kind} '{name}' is not usable: "
                    f"its plugin '{record.plugin}' is {record.state}: {record.reason}",
                    remedy="xpot plugins shows the state of every plugin",
                )
        distribution = PUBLISHED.get(kind, {}).get(name)
        if distribution is not None:
            raise NotInstalledError(f"{kind} '{name}' is not installed", remedy=f"pip install {distribution}")
        known = {*self._providers[kind], *PUBLISHED.get(kind, {})}
        raise NotInstalledError(f"unknown {kind} '{name}'", remedy=nearest(name, known))

    def get(self, provider: type[P], name: str) -> P:
        """Look up a provider by its class; otherwise as `provider`."""
        found = self.provider(provider.kind, name)
        assert isinstance(found, provider)
        return found

    def predictor_for(self, format: str) -> PredictorProvider:
        """The first predictor that reads a potential format.

        One of the plugin whose fitter makes the format comes first: installing another plugin never
        changes who evaluates a potential.
        """
        fitters = [(self.get(FitterProvider, name), name) for name in self.names("fitter")]
        makers = {id(self.owner("fitter", name)) for p, name in fitters if format in p.produces}
        found = [self.get(PredictorProvider, name) for name in self._providers["predictor"]]
        reading = [p for p in found if format in p.accepts]
        for provider in sorted(reading, key=lambda p: id(self.owner("predictor", p.name)) not in makers):
            return provider
        raise NotInstalledError(
            f"no installed predictor accepts potentials of format '{format}'",
            remedy="install a plugin with a predictor for it, or name one in the study file",
        )

    def create(self, kind: Kind, name: str, options: Any = None) -> Component[Any]:
        """Validate the options and make the object.

        A fitter is made without arguments (its options come with each request); everything else
        gets its validated options.
        """
        provider = self.provider(kind, name)
        try:
            validated = validate_options(provider.options, {} if options is None else options)
        except InputError as error:
            raise error.at(key=f"{kind}.{name}") from error
        factory = self._factory(kind, provider)
        return Component(kind, provider, validated, factory(validated))

    def create_fitter(self, name: str, options: Any) -> Component[Any]:
        """Make a fitter; `options` are validated ones or None."""
        provider = self.provider("fitter", name)
        return Component("fitter", provider, options, self._factory("fitter", provider)())

    def _factory(self, kind: Kind, provider: Provider) -> Any:
        missing = provider.missing()
        if missing:
            raise NotInstalledError(
                f"{kind} '{provider.name}' needs {', '.join(missing)}",
                remedy="install what is missing; the plugin's README says how",
            )
        try:
            return provider.factory()
        except ImportError as error:
            raise NotInstalledError(
                f"{kind} '{provider.name}' cannot be loaded: {error}",
                remedy="xpot plugins says what it needs",
            ) from error

    def versions(self) -> dict[str, str]:
        """Distribution -> version of every plugin in use."""
        return {r.distribution: r.version for r in self.records if r.providers}
