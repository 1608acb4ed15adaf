"""Settings of every test: Hypothesis draws the same examples in every run, and keeps none between runs."""

import hypothesis

hypothesis.settings.register_profile("lemmata", derandomize=True, deadline=None, database=None)
hypothesis.settings.load_profile("lemmata")
