"""Tests of what predicting reads and writes: ids, lists, the output folder."""

import json

import pytest

from tasks.prediction import predict_files


@pytest.fixture
def images(tmp_path):
  folder = tmp_path / 'images'
  folder.mkdir()
  for name in ('000000000139.jpg', '000000000009.png', 'walk 2.tif'):
    (folder / name).write_bytes(b'')
  return folder


def _list(tmp_path, *entries):
  path = tmp_path / 'list.json'
  images = [{'id': key, 'file_name': name} for key, name in entries]
  path.write_text(json.dumps({'images': images}))
  return str(path)


def _ids(found):
  return [(item.file_name, item.image_id) for item in found]


def test_ids_are_the_numbers_of_names_else_the_names(images):
  found = predict_files.find(str(images), is_clip=False)
  assert _ids(found) == [
    ('000000000009.png', 9),
    ('000000000139.jpg', 139),
    ('walk 2.tif', 'walk 2'),
  ]
  assert [item.name for item in found][0] == '000000000009'
  (alone,) = predict_files.find(str(images / '000000000139.jpg'), False)
  assert _ids([alone]) == [('000000000139.jpg', 139)]


def test_a_list_gives_ids_and_says_which_images(images, tmp_path):
  (images / 'sub').mkdir()
  (images / 'sub/x.jpg').write_bytes(b'')
  path = _list(tmp_path, ('b', 'sub/x.jpg'), (4, 'walk 2.tif'))
  found = predict_files.find(str(images), False, path)
  assert _ids(found) == [('sub/x.jpg', 'b'), ('walk 2.tif', 4)]
  assert found[0].path == str(images / 'sub/x.jpg')
  assert found[0].name == 'sub/x'
  alone = predict_files.find(str(images / 'walk 2.tif'), False, path)
  assert _ids(alone) == [('walk 2.tif', 4)]


def test_the_frames_of_a_list_are_ordered(tmp_path):
  for n in range(8, 12):
    (tmp_path / f'f{n}.png').write_bytes(b'')
  path = _list(tmp_path, *((n, f'f{n}.png') for n in (11, 10, 9)))
  found = predict_files.find(str(tmp_path), True, path)
  assert [item.image_id for item in found] == [9, 10, 11]


@pytest.mark.parametrize(
  ('entries', 'sentence'),
  [
    (
      [(1, 'a.jpg'), (2, 'b.jpg')],
      '2 of the 2 images of .* missing, the first',
    ),
    ([(1, 'walk 2.tif'), ('1', '000000000009.png')], 'have one id, 1: give'),
    ([(1, 'walk 2.tif'), (2, 'walk 2.tif')], 'lists walk 2.tif twice'),
    ([(1.5, 'walk 2.tif')], 'image 0: 1.5 is no image id'),
    ([(1, '../x.jpg')], 'write its path below the folder'),
    ([(1, None)], 'has the file_name None: write a text'),
    ([], 'has no list "images"'),
  ],
)
def test_wrong_lists_are_refused(images, tmp_path, entries, sentence):
  with pytest.raises((ValueError, OSError), match=sentence) as error:
    predict_files.find(str(images), False, _list(tmp_path, *entries))
  assert '\n' not in str(error.value)


def test_a_list_that_is_none(images, tmp_path):
  path = tmp_path / 'list.json'
  with pytest.raises(FileNotFoundError, match='list.json does not exist'):
    predict_files.find(str(images), False, str(path))
  path.write_text('{')
  with pytest.raises(ValueError, match='list.json is not JSON'):
    predict_files.find(str(images), False, str(path))
  path.write_text('{"images": [{"id": 1}]}')
  with pytest.raises(ValueError, match='image 0 has not both "id" and'):
    predict_files.find(str(images), False, str(path))
  lonely = _list(tmp_path, (1, 'other.jpg'))
  with pytest.raises(ValueError, match='lists no image .* walk 2.tif: add it'):
    predict_files.find(str(images / 'walk 2.tif'), False, lonely)


def test_equal_ids_are_refused(images):
  (images / '139.jpg').write_bytes(b'')
  with pytest.raises(ValueError, match='in .*images have one id, 139: give'):
    predict_files.find(str(images), is_clip=False)


def test_results_are_replaced_only_if_asked(images, tmp_path):
  found = predict_files.find(str(images), is_clip=False)
  output = tmp_path / 'out'
  predict_files.check_output(str(output), found)
  (output / 'panoptic').mkdir(parents=True)
  predict_files.check_output(str(output), found)
  for folder in ('panoptic/sub', 'overlay'):
    (output / folder).mkdir()
  for name in ('panoptic/sub/1.png', 'panoptic.json', 'overlay/1.png', 'mine'):
    (output / name).write_text('earlier')
  with pytest.raises(
    FileExistsError, match='out has panoptic, panoptic.json, overlay already'
  ):
    predict_files.check_output(str(output), found)
  predict_files.check_output(str(output), found, overwrite=True)
  predict_files.clear_output(str(output))
  assert [path.name for path in output.iterdir()] == ['mine']


def test_overwriting_spares_the_images(images, tmp_path):
  images.rename(tmp_path / 'overlay')
  found = predict_files.find(str(tmp_path / 'overlay'), is_clip=False)
  with pytest.raises(
    ValueError, match='is an image of --input, and --overwrite'
  ):
    predict_files.check_output(str(tmp_path), found, overwrite=True)


def test_overwriting_spares_given_maps(images, tmp_path):
  output = tmp_path / 'output'
  (output / 'panoptic').mkdir(parents=True)
  (output / 'panoptic' / 'a.png').write_bytes(b'')
  inputs = predict_files.find(str(images), is_clip=False)
  for given in ('panoptic', 'panoptic/', 'panoptic/a.png'):
    with pytest.raises(ValueError, match='is given, and --overwrite would rem'):
      predict_files.check_output(
        str(output), inputs, overwrite=True, given=[f'{output}/{given}']
      )
  predict_files.check_output(
    str(output), inputs, overwrite=True, given=[str(tmp_path / 'maps')]
  )
