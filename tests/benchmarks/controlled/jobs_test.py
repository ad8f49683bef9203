"""Tests of the runs of claims, without a run."""

import pytest

from benchmarks.controlled import claims, jobs


def test_claims_that_differ_in_sampling_share_their_runs():
  chosen = [claims.CLAIMS[name] for name in ('td', 'steps', 'weight_p')]
  planned = jobs.plan(chosen, 2)
  # td = 2 with 5 steps is in two claims, and p = 0.2 is the run of both.
  assert len(planned) == len(set(planned)) == 2 * (5 + 6 - 1 + 2)
  assert {(job.train, job.pretrain) for job in planned} == {
    ('', None),
    ('loss.weight_p=0', None),
  }
  # The jobs of a run follow each other, and a seed is finished first.
  order = [(job.seed, job.train) for job in planned]
  assert list(dict.fromkeys(order)) == sorted(set(order))
  assert order == sorted(order)


def test_variants_of_a_claim_have_names_and_contrasts_that_fit():
  for claim in claims.CLAIMS.values():
    names = [variant.name for variant in claim.variants]
    assert len(names) == len(set(names))
    for contrast in claim.contrasts:
      assert set(contrast.weights) <= set(names)
      assert sum(contrast.weights.values()) == 0
    if claim.axis:
      places = [variant.x for variant in claim.variants]
      assert places == sorted(places)


@pytest.mark.parametrize(
  ('override', 'folder', 'said'),
  [
    ('training.seed=3', 'x', 'training.seed, which every run sets itself'),
    ('loss.weight_p=1', 'x', 'loss.weight_p, which the claim weight_p varies'),
    ('data.cache=true,model.unconditional=true', 'x', 'the claim pretraining'),
    ('', 'runs, new', 'has a character that a list of fields cannot hold'),
  ],
)
def test_fields_that_runs_set_themselves_are_refused(override, folder, said):
  chosen = [claims.CLAIMS[name] for name in ('weight_p', 'pretraining')]
  with pytest.raises(ValueError, match=said):
    jobs.check(chosen, jobs.Setup(10, override), folder)
  jobs.check(chosen, jobs.Setup(10, 'model.mask_size=[32,32]'), 'runs/a-b.c')


@pytest.mark.parametrize(
  ('program', 'why'),
  [
    ('print("step 1"); sys.exit("FATAL: It failed.")', 'It failed.'),
    ('print("a"); print("  b  "); print(); sys.exit(3)', 'b'),
    ('sys.exit(3)', 'it printed nothing'),
    ('print("done")', None),
  ],
)
def test_a_process_that_fails_says_its_last_line(
  program, why, tmp_path, monkeypatch, capfd
):
  path = tmp_path / 'main.py'
  path.write_text(f'import sys\n{program}\n')
  monkeypatch.setattr(jobs, '_MAIN', path)
  if why is None:
    jobs.run_main([])
    assert capfd.readouterr().out == '  done\n'
  else:
    with pytest.raises(jobs.Failed) as error:
      jobs.run_main([])
    assert str(error.value) == why


def test_a_process_ends_with_the_one_that_started_it(tmp_path, monkeypatch):
  path = tmp_path / 'main.py'
  path.write_text(
    'import pathlib, signal, sys, time\n'
    'def end(*_):\n'
    f'  pathlib.Path({str(tmp_path / "saved")!r}).touch()\n'
    '  sys.exit()\n'
    'signal.signal(signal.SIGTERM, end)\n'
    'print("ready", flush=True)\n'
    'time.sleep(60)\n'
  )

  def interrupt(*_, **options):
    raise SystemExit

  monkeypatch.setattr(jobs, '_MAIN', path)
  monkeypatch.setattr(jobs, 'print', interrupt, raising=False)
  with pytest.raises(SystemExit):
    jobs.run_main([])
  assert (tmp_path / 'saved').exists()
