"""Tests of the paper's tables, from folders as runs leave them."""

import json

import numpy as np
import pytest
from PIL import Image

from benchmarks import paper_tables
from benchmarks.results import published
from configs import loading
from training.run_folder import json_lines

_COCO = 'training.init_checkpoint=[/gone/coco]'


def _write(folder, experiment, override=_COCO):
  """Writes the folder of a run; returns its experiment."""
  config = loading.load(experiment, '', override)
  loading.save(config, str(folder))
  return config


def _score(folder, config, metrics, step=None, name='eval.jsonl', **evaluation):
  """Adds a score, as an evaluation does, with other settings."""
  values = loading.plain(config)['evaluation']
  sampler = evaluation.pop('sampler', {})
  values = {**values, **evaluation}
  values['sampler'] = {**values['sampler'], **sampler}
  line = {
    'step': config.training.steps if step is None else step,
    'split': config.data.eval_split,
    'eval_examples': None,
    'evaluation': values,
    'metrics': metrics,
  }
  json_lines.append(str(folder / name), line)


def _run(root, **options):
  return '\n'.join(paper_tables.run(str(root), **options))


def _row(text, start):
  (line,) = (line for line in text.splitlines() if line.startswith(start))
  return [cell.strip() for cell in line.split('|')[1:-1]]


def test_what_was_not_run_says_so(tmp_path):
  text = _run(tmp_path)
  assert _row(text, '| Pix2Seq-D (steps=80)')[-2:] == ['64.0', 'not run']
  assert _row(text, '| 512x1024 | 256x512')[-2:] == ['52.1', 'not run']
  assert _row(text, '| Motion-DeepLab')[1:3] == ['58.0', '-']
  assert text.count('not run') == 2 + 4 + 4 + 3 + 2
  assert 'There are none.' in text
  with pytest.raises(ValueError, match='gone is no folder: name the one'):
    _run(tmp_path / 'gone')


def test_scores_come_into_the_rows_of_their_settings(tmp_path):
  run = tmp_path / 'deep' / 'city'
  config = _write(
    run, 'cityscapes_panoptic', f'{_COCO},data.dir=/d,training.seed=4'
  )
  # The last one of a row counts.
  for pq in (1.0, 62.04):
    _score(run, config, {'PQ': pq})
  _score(run, config, {'PQ': 61.0}, sampler={'steps': 10}, batch_size=4)
  _score(run, config, {'PQ': 9.0}, step=500, sampler={'steps': 40})
  _score(run, config, {'PQ': 8.0}, seed=1, sampler={'steps': 80})
  _score(run, config, {'PQ': float('nan')}, sampler={'steps': 40})
  path = tmp_path / 'out' / 'tables.json'
  text = _run(tmp_path, json_path=str(path))
  found = [
    _row(text, f'| Pix2Seq-D (steps={n}) | ResNet')[-1]
    for n in (10, 20, 40, 80)
  ]
  assert found == ['61.0', '62.0', 'not run', 'not run']
  assert '`evaluation.seed`: 0 -> 1: in no table' in text
  content = json.loads(path.read_text(), parse_constant=pytest.fail)
  here = {row['key']: row['here'] for row in content['rows']}
  assert here['cityscapes_panoptic evaluation.sampler.steps=20'] == {
    'mean': 62.04,
    'deviation': None,
    'runs': [str(run)],
  }
  assert here['davis'] is None


def test_several_runs_are_repetitions(tmp_path):
  for seed, stq in enumerate((60.0, 61.0, 63.0)):
    run = tmp_path / f'kitti{seed}'
    config = _write(run, 'kitti_step', f'{_COCO},training.seed={seed}')
    _score(
      run, config, {'STQ': stq, 'SQ': 50.0, 'AQ': 40.0}, name='metrics.jsonl'
    )
  row = _row(_run(tmp_path), '| Pix2Seq-D | 61.6')
  assert row[2] == '61.3 ± 1.5 (3 runs)'
  assert row[4] == '50.0 ± 0.0 (3 runs)'


@pytest.mark.parametrize(
  ('override', 'said'),
  [
    ('training.batch_size=4', '`training.batch_size`: 16 -> 4'),
    ('model.input_scaling=1.0', '`model.input_scaling`: 0.1 -> 1.0'),
    (
      'training.precision=bfloat16',
      '`training.precision`: float32 -> bfloat16',
    ),
    ('loss.weight_p=0.0', '`loss.weight_p`: 0.2 -> 0.0'),
    ('data.train_split=val', '`data.train_split`: train -> val'),
    (
      'optimizer.accumulation_steps=2',
      '`optimizer.accumulation_steps`: 1 -> 2',
    ),
  ],
)
def test_another_recipe_is_listed_and_in_no_table(tmp_path, override, said):
  config = _write(tmp_path, 'cityscapes_panoptic', f'{_COCO},{override}')
  _score(tmp_path, config, {'PQ': 71.23})
  text = _run(tmp_path)
  assert (
    f'not cityscapes_panoptic, so in no table; it differs in {said};' in text
  )
  assert 'PQ 71.2 as' in text
  assert _row(text, '| Pix2Seq-D (steps=20) | ResNet')[-1] == 'not run'


@pytest.mark.parametrize(
  ('changes', 'said'),
  [
    ({'min_segment_pixels': 0}, '`evaluation.min_segment_pixels`: 80 -> 0'),
    ({'weights': 'online'}, '`evaluation.weights`: ema -> online'),
    ({'sampler': {'steps': 5}}, '`evaluation.sampler.steps`: 10 -> 5'),
    ({'segments_by': 'class_and_id'}, '`evaluation.segments_by`: id ->'),
  ],
)
def test_another_way_to_score_is_in_no_table(tmp_path, changes, said):
  config = _write(tmp_path, 'cityscapes_panoptic')
  _score(tmp_path, config, {'PQ': 71.23}, **changes)
  text = _run(tmp_path)
  assert said in text and text.count('71.2') == 1


def test_part_of_the_split_is_in_no_table(tmp_path):
  config = _write(tmp_path, 'cityscapes_panoptic')
  config.data.eval_examples = 10
  _score(tmp_path, config, {'PQ': 71.23})
  line = json_lines.read(str(tmp_path / 'eval.jsonl'))[0]
  line['eval_examples'] = 10
  json_lines.append(str(tmp_path / 'eval.jsonl'), line)
  text = _run(tmp_path)
  assert '`data.eval_examples`: null -> 10: in no table' in text


def test_old_scores_have_the_settings_of_their_run(tmp_path):
  config = _write(tmp_path, 'cityscapes_ablation_512_256')
  line = {'step': config.training.steps, 'metrics': {'PQ': 50.0}}
  json_lines.append(str(tmp_path / 'metrics.jsonl'), line)
  assert _row(_run(tmp_path), '| 512x1024 | 256x512')[-1] == '50.0'


def test_davis_needs_all_its_evaluations(tmp_path):
  config = _write(tmp_path, 'davis')
  # The one that training makes is not the mean of 50.
  _score(tmp_path, config, {'J_and_F': 9.0}, name='metrics.jsonl')
  for run in range(12):
    line = {'key': 'k', 'run': run, 'metrics': {'J_and_F': 60.0}}
    json_lines.append(str(tmp_path / 'runs.jsonl'), line)
  text = _run(tmp_path)
  assert _row(text, '| Pix2Seq-D | not known')[2:] == [
    'not run',
    '1.5',
    'not run',
  ]
  assert '12 of 50 evaluations are made' in text
  assert '`evaluation.runs`: 50 -> 1: in no table' in text
  _score(tmp_path, config, {'J_and_F': 60.0, 'J_and_F_std': 1.2})
  row = _row(_run(tmp_path), '| Pix2Seq-D | not known')
  assert row[2:] == ['60.0', '1.5', '1.2']


def test_the_first_weights_belong_to_the_recipe(tmp_path):
  """A stage is what it is only after the stages before it."""
  low, coco, city = (tmp_path / name for name in ('low', 'coco', 'city'))
  weights = 'training.init_checkpoint=[{}]'
  row = '| 512x1024 | 256x512'
  _write(low, 'coco_panoptic_low_resolution', weights.format('/r,/gone'))
  _write(coco, 'coco_panoptic', weights.format(low))
  config = _write(
    city, 'cityscapes_ablation_512_256', weights.format(coco / 'ckpt-1')
  )
  _score(city, config, {'PQ': 50.0})

  text = _run(tmp_path)
  assert _row(text, row)[-1] == '50.0'
  assert '/gone is coco_decoder_pretraining is not known' in text
  # The encoder's weights are missing.
  _write(low, 'coco_panoptic_low_resolution', weights.format('/r'))
  assert _row(_run(tmp_path), row)[-1] == 'not run'
  _write(
    low,
    'coco_panoptic_low_resolution',
    f'{weights.format("/r,/gone")},loss.weight_p=0',
  )
  text = _run(tmp_path)
  assert _row(text, row)[-1] == 'not run'
  assert 'coco_panoptic_low_resolution, with another loss.weight_p' in text
  _write(city, 'cityscapes_ablation_512_256', '')
  assert '`training.init_checkpoint`: weights of coco_panoptic -> []' in (
    _run(city)
  )


def test_other_runs_are_named(tmp_path):
  _write(tmp_path / 'a', 'shapes', 'training.steps=3')
  _write(tmp_path / 'b', 'coco_panoptic_one_gpu', 'data.dir=/coco')
  config = _write(tmp_path / 'c', 'davis')
  _score(tmp_path / 'c', config, {'J_and_F': 1.0}, step=500)
  (tmp_path / 'd').mkdir()
  (tmp_path / 'd' / 'experiment.yaml').write_text('[')
  _write(tmp_path / 'e', 'davis')
  (tmp_path / 'e' / 'eval.jsonl').write_text('{"step": 1, "metrics": []}\n')
  text = _run(tmp_path)
  assert (
    f'Most like shapes, which is in none of these tables: `{tmp_path}/a`'
    in text
  )
  assert 'Most like coco_panoptic_one_gpu' in text
  assert 'davis, as registered; whether' in text
  assert 'scored at step 500, of 20000 steps' in text
  assert f'`{tmp_path}/d` cannot be read: ' in text
  assert 'eval.jsonl has a line that is no score' in text


def test_figures_are_pages_of_the_runs_pictures(tmp_path):
  folder = tmp_path / 'pages'

  def picture(run, name, color):
    path = tmp_path / run / 'pictures' / name
    path.parent.mkdir(exist_ok=True)
    Image.new('RGB', (300, 200), color).save(path)

  _write(tmp_path / 'coco', 'coco_panoptic', f'{_COCO},loss.weight_p=0')
  _write(tmp_path / 'davis', 'davis')
  picture('coco', 'predictions-5.png', 'red')
  picture('coco', 'predictions-40.png', 'lime')
  picture('davis', 'videos-7.png', 'blue')
  text = _run(tmp_path, figures_folder=str(folder))
  assert sorted(p.name for p in folder.iterdir()) == [
    'figure-12.png',
    'figure-15.png',
  ]
  page = np.asarray(Image.open(folder / 'figure-12.png'))
  assert (page == (0, 255, 0)).all(-1).sum() == 300 * 200
  assert page.shape[0] > 200  # Title and remark.
  assert 'no run of coco_panoptic has pictures/trajectory-<step>.png' in text
  assert 'there is one run of coco_panoptic with such pictures' in text
  assert 'no run of cityscapes_panoptic has' in text
  # A second run, which is as registered, comes first.
  _write(tmp_path / 'other', 'coco_panoptic')
  picture('other', 'predictions-9.png', 'yellow')
  _run(tmp_path, figures_folder=str(folder))
  for number, color in ((12, (255, 255, 0)), (13, (0, 255, 0))):
    page = np.asarray(Image.open(folder / f'figure-{number}.png'))
    assert (page == color).all(-1).sum() == 300 * 200
  (tmp_path / 'davis' / 'pictures' / 'videos-7.png').write_bytes(b'no')
  text = _run(tmp_path, figures_folder=str(folder))
  assert 'videos-7.png is no image that can be read' in text


def test_places_that_cannot_be_written_are_refused(tmp_path):
  file = tmp_path / 'file'
  file.write_text('')
  with pytest.raises(ValueError, match='is a folder: name a file in it'):
    _run(tmp_path, json_path=str(tmp_path))
  with pytest.raises(ValueError, match='is a file: name a folder'):
    _run(tmp_path, figures_folder=str(file))


def test_a_section_has_a_table_and_its_commands(tmp_path):
  judgements, unreadable = paper_tables.read(str(tmp_path))
  assert not judgements and not unreadable
  for table in published.TABLES:
    text = paper_tables.section(table, {})
    assert text.startswith(f'## {table.title}\n')
    assert '\n'.join(published.commands(table)) in text
