import pytest

from configs import registered


def test_every_experiment_says_what_it_is_in_a_line():
  summaries = registered.summaries()
  assert list(summaries) == registered.names()
  for name, text in summaries.items():
    assert text.endswith('.') and '\n' not in text, name
    assert 10 < len(text) < 100, name
  assert summaries['coco_panoptic'] == '15 epochs at 1024x1024, masks 512x512.'
  lines = registered.listing().splitlines()[1:]
  assert [line.split()[0] for line in lines] == registered.names()


@pytest.mark.parametrize(
  ('name', 'near'),
  [
    ('shpaes', "'shapes'"),
    ('coco', "'coco_panoptic'"),
    ('coco_panoptic_smal', "'coco_panoptic_small'"),
    ('zzz', '^(?!.*did you mean).*; the registered ones are: cityscapes_'),
  ],
)
def test_an_unknown_experiment_names_the_nearest(name, near):
  with pytest.raises(ValueError, match=f'Unknown experiment {name!r}') as error:
    registered.get(name)
  assert error.match(near)
  assert '\n' not in str(error.value) and 'moving_shapes' in str(error.value)
