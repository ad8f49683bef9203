from models import load_report


def test_every_wrong_shape_is_shown():
  wrong = [f'decoder/conv_in/{i} (file [1], model [2])' for i in range(9)]
  text = str(load_report.Report('file', ['a'], mismatched=wrong))
  assert all(line in text for line in wrong)
