"""A part of an experiment."""

import dataclasses
import difflib

from official.modeling import hyperparams


class Section(hyperparams.Config):
  """A configuration that refuses fields which it does not declare."""

  def __setattr__(self, name, value):
    if name not in self.RESERVED_ATTR:
      known = [field.name for field in dataclasses.fields(self)]
      if name not in known:
        close = difflib.get_close_matches(name, known, n=1)
        hint = f': did you mean {close[0]!r}?' if close else '.'
        raise AttributeError(
          f'{type(self).__name__} has no field {name!r}{hint}'
        )
    super().__setattr__(name, value)
