# %% [markdown]
# # In a notebook
#
# Everything that the commands do is there for Python: a study is read, run and looked at. This page is an executed
# notebook; it needs `pip install xpot-core[report] xpot-snap xpot-skopt pandas`.

# %%
from pathlib import Path
from tempfile import mkdtemp

from xpot_core.results.read import StudyResults
from xpot_core.search.loop import Study
from xpot_core.study_file.read import read_study

# %% [markdown]
# ## Run
#
# The study file is the same as for `xpot run`, and so are the overrides of single keys. `run` also resumes a study that
# was interrupted.

# %%
overrides = ("study=notebook", "fitter.snap.twojmax=4", "executor=serial")
study = Study(read_study("examples/silicon/study.yaml", overrides), Path(mkdtemp()))
outcome = study.run(trials=16)
outcome.reason

# %% [markdown]
# ## Look at it
#
# `StudyResults` reads the store of a study, also while it runs elsewhere.

# %%
results = StudyResults.open(study.directory)
results

# %% [markdown]
# Trials are plain objects.

# %%
best = results.best
best.number, round(best.loss, 4), round(best.values["rcutfac"], 3)

# %% [markdown]
# All of them as a table of pandas:

# %%
frame = results.to_dataframe()
shown = ["loss", "validation energy_rmse", "validation force_rmse", "rcutfac", "rfac0", "fweight"]
frame.sort_values("loss").head(5)[shown].round(3)

# %% [markdown]
# ## Figures
#
# The figures of `xpot report` by name; each has its matplotlib object, its data and a text for those who cannot see it.

# %%
from xpot_core.report.figures.draw import make_figures

figures = make_figures(results)
list(figures)

# %%
figures["convergence"]

# %%
figures["importance"].alt

# %% [markdown]
# `figures[...].figure` is a matplotlib `Figure`, to be changed and saved as any other:

# %%
pareto = figures["pareto"].figure
pareto.axes[0].set_title("silicon, 16 trials")
figures["pareto"]

# %% [markdown]
# ## Another balance of energies and forces
#
# The error sums of each trial are stored, so another loss needs no new fit.

# %%
for alpha in (0.1, 0.5, 0.9):
    trial, loss = results.best_at(alpha)
    print(f"alpha {alpha}: trial {trial.number}, loss {loss:.4f}")
