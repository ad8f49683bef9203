"""Finds the project; where a notebook is alone, as in Colab, fetches it."""

import os
import pathlib
import subprocess
import sys

# What `git clone` takes: the address of the project, for Colab.
REPOSITORY = os.environ.get('PIX2SEQ_D_REPOSITORY', '')

here = pathlib.Path.cwd()
places = (here, *here.parents, here / 'pix2seq_d')
root = next((p for p in places if (p / 'colabs/notebook.py').is_file()), None)
if root is None:
  if not REPOSITORY:
    sys.exit(
      f'{here} has no project around it: write the address to clone it from '
      'into REPOSITORY above, or into the environment as '
      'PIX2SEQ_D_REPOSITORY, and run this cell again.'
    )
  root = here / 'pix2seq_d'
  subprocess.run(['git', 'clone', '--depth=1', REPOSITORY, root], check=True)
os.chdir(root)
sys.path.insert(0, str(root))

from colabs import notebook  # noqa: E402

notebook.start()
