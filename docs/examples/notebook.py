# %% [markdown]
# # In a notebook
#
# Everything that the commands do is there for Python: a study is run, read and looked at. This page is an executed
# notebook; it needs `pip install xpot-core[report] xpot-snap xpot-skopt pandas`. [](guide/python.md)
# lists what there is.

# %%
from tempfile import mkdtemp

import xpot_core as xpot

# %% [markdown]
# ## Run
#
# The study file is the same as for `xpot run`, and so are the settings of single keys. `run` also resumes a study that
# was interrupted.

# %%
settings = {"study": "notebook", "fitter.snap.twojmax": 4, "executor": "serial"}
study = xpot.run("examples/silicon/study.yaml", trials=16, runs=mkdtemp(), settings=settings, progress=False)
study

# %% [markdown]
# ## Look at it
#
# `xpot.open("runs/my-study")` opens a study of before, also while it runs elsewhere. Trials are plain objects.

# %%
study.best.number, round(study.best.loss, 4), round(study.best.values["rcutfac"], 3)

# %% [markdown]
# All of them as a table of pandas:

# %%
table = study.trials.to_dataframe()
shown = ["loss", "validation energy_rmse", "validation force_rmse", "rcutfac", "rfac0", "fweight"]
table.sort_values("loss").head(5)[shown].round(3)

# %% [markdown]
# ## Use the potential
#
# Any trial is an ASE calculator; one that did not win is fitted again for it.

# %%
from ase.build import bulk

atoms = bulk("Si")
atoms.calc = study.best.calculator()
round(atoms.get_potential_energy() / len(atoms), 2)

# %% [markdown]
# ## Figures
#
# The figures of `xpot report` by name; each has its matplotlib object, its data and a text for those who cannot see it.

# %%
study.figure("convergence")

# %%
study.figure("importance").alt

# %% [markdown]
# `.figure` is a matplotlib `Figure`, to be changed and saved as any other:

# %%
pareto = study.figure("pareto")
pareto.figure.axes[0].set_title("silicon, 16 trials")
pareto

# %% [markdown]
# ## Another balance of energies and forces
#
# The error sums of each trial are stored, so another loss needs no new fit.

# %%
for alpha in (0.1, 0.5, 0.9):
    trial, loss = study.results.best_at(alpha)
    print(f"alpha {alpha}: trial {trial.number}, loss {loss:.4f}")
