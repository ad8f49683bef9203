"""A fixture for tests that predict."""

import pytest
import tiny

from tasks import images


@pytest.fixture
def reuse_network(monkeypatch):
  """Gives tasks the network of the tests, instead of one more in seconds."""

  def build_model(task):
    return tiny.build(past_masks=task.config.model.past_masks)

  monkeypatch.setattr(images.ImageTask, 'build_model', build_model)
