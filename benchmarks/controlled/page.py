"""A page of Markdown about claims, with plots."""

import math
import os
import statistics
from collections.abc import Iterator, Mapping, Sequence

from PIL import Image

from benchmarks.controlled import claims as claims_lib
from benchmarks.controlled import jobs, verdicts
from benchmarks.measuring import spread
from panoptic import files, png
from panoptic.drawing import plots

Done = Mapping[jobs.Job, Mapping[str, float]]
_NOT_AVAILABLE = 'not available: no field of the configuration varies it'


def scores(
  claim: claims_lib.Claim, seeds: int, done: Done
) -> dict[str, list[float]]:
  """The scores of each variant, by the seeds that have one."""
  found = {}
  for variant in claim.variants:
    of_seeds = (
      done.get(
        jobs.Job(variant.train, variant.evaluate, variant.pretrain, seed)
      )
      for seed in range(seeds)
    )
    found[variant.name] = [s[claims_lib.METRIC] for s in of_seeds if s]
  return found


def write(
  path: str,
  claims: Sequence[claims_lib.Claim],
  setup: jobs.Setup,
  seeds: int,
  done: Done,
  failures: Mapping[jobs.Job, str],
) -> None:
  """Writes the page, and beside it a plot for each claim that has an axis.

  Args:
    path: Of the page, which ends with '.md'.
    claims: That it is about.
    setup: What the runs share.
    seeds: Number of seeds.
    done: Scores by job.
    failures: Why jobs failed.
  """
  files.make_folders(os.path.dirname(path) or '.')
  lines = [*_head(setup, seeds)]
  details: list[str] = []
  for claim in claims:
    found = scores(claim, seeds, done)
    findings = [verdicts.find(c, found) for c in claim.contrasts]
    lines.append(_row(claim, found, findings, seeds))
    details += _details(claim, setup, findings)
    if plot := _plot(claim, found, path):
      details += ['', f'![PQ by {claim.axis}]({plot})']
  lines += details
  if failures:
    lines += ['', '## Failed', '']
    lines += [f'* {named(job)}: {why}' for job, why in failures.items()]
  files.write_text(path, '\n'.join(lines) + '\n')


def _head(setup: jobs.Setup, seeds: int) -> Iterator[str]:
  yield '# Claims of the paper, in small'
  yield ''
  yield (
    f'The experiment `{claims_lib.EXPERIMENT}`, {setup.steps:,} steps for '
    f'every variant, seeds: {seeds}'
    + (f', all with `{setup.override}`' if setup.override else '')
    + f'. {claims_lib.METRIC}: mean and standard deviation over seeds. Written '
    'by `python -m benchmarks.claims`.'
  )
  yield ''
  yield verdicts.RULE
  yield ''
  yield f'| claim | the paper | here, {claims_lib.METRIC} | verdict |'
  yield '|---|---|---|---|'


def _row(
  claim: claims_lib.Claim,
  found: Mapping[str, Sequence[float]],
  findings: Sequence[verdicts.Finding],
  seeds: int,
) -> str:
  here, verdict = _NOT_AVAILABLE, verdicts.OPEN
  if claim.variants:
    here = '; '.join(
      f'{name}: {_mean(values, seeds)}' for name, values in found.items()
    )
    verdict = verdicts.together(findings)
  return f'| `{claim.name}` | {claim.says} | {here} | {verdict} |'


def _mean(values: Sequence[float], seeds: int) -> str:
  if not values:
    return 'not run'
  text = spread.text(values)
  return text if len(values) == seeds else f'{text} ({len(values)} of {seeds})'


def _details(
  claim: claims_lib.Claim,
  setup: jobs.Setup,
  findings: Sequence[verdicts.Finding],
) -> Iterator[str]:
  """What the variants are, and what came out of each statement."""
  if not claim.variants:
    return
  yield from ('', f'## {claim.name}', '')
  for variant in claim.variants:
    fields = [f'`{f}`' for f in (variant.train, variant.evaluate) if f]
    if variant.pretrain is not None:
      fields.append(
        f'after {setup.steps:,} steps of `{variant.pretrain}`, which are not '
        'counted'
      )
    yield f'* {variant.name}: {", ".join(fields) or "as registered"}'
  yield ''
  for finding in findings:
    difference = 'not run'
    if not math.isnan(finding.estimate):
      difference = f'difference {finding.estimate:.2f}'
    if not math.isnan(finding.error):
      difference += f', standard error {finding.error:.2f}'
    yield f'* {finding.text}: {difference}, **{finding.verdict}**'


def _plot(
  claim: claims_lib.Claim, found: Mapping[str, Sequence[float]], path: str
) -> str:
  """Draws a claim; returns the name of the file, '' if there is none."""
  points = [
    plots.Point(
      variant.x,
      statistics.fmean(found[variant.name]),
      statistics.stdev(values) if len(values) > 1 else 0.0,
    )
    for variant in claim.variants
    if (values := found[variant.name])
  ]
  if not claim.axis or not points:
    return ''
  name = f'{os.path.basename(path).removesuffix(".md")}-{claim.name}.png'
  image = plots.line(points, claims_lib.METRIC, claim.axis, claim.logarithmic)
  png.save(os.path.join(os.path.dirname(path), name), Image.fromarray(image))
  return name


def named(job: jobs.Job) -> str:
  """Seed and fields of a job, for people."""
  fields = ', '.join(f for f in (job.pretrain, job.train, job.evaluate) if f)
  return f'seed {job.seed}, `{fields or "as registered"}`'
