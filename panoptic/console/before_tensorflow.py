"""Settings that TensorFlow reads at its import; import this module before it.

* The log level hides TensorFlow's lines at its start about libraries and
  processor features. A level that the user has set stays:
  TF_CPP_MIN_LOG_LEVEL=0 shows all, such as why a GPU is not used.
* Convolutions on a CPU are oneDNN's on all processors, not only on those for
  which TensorFlow turns it on: training gains a fifth on an AMD EPYC.
* `tf.keras` is tf_keras, of which the networks are made, not Keras 3. To import
  both would take a second and a half more.
"""

import ctypes
import glob
import os
import sys

_LEVEL = 'TF_CPP_MIN_LOG_LEVEL'
# absl::SetMinLogLevel, of the release that TensorFlow 2.20 is built with.
_SET_LEVEL = '_ZN4absl12lts_2025012714SetMinLogLevelENS0_18LogSeverityAtLeastE'

# Its errors reach Python as exceptions, too.
os.environ.setdefault(_LEVEL, '3')
os.environ.setdefault('TF_USE_LEGACY_KERAS', '1')
os.environ.setdefault('TF_ENABLE_ONEDNN_OPTS', '1')


def hush_absl() -> bool:
  """Applies the level to those lines of TensorFlow that go to Abseil's log.

  They do not heed the environment: of GPUs that were found, of what XLA has
  compiled, and a warning that this log was not initialized.

  Returns:
    Whether it could be done; not before TensorFlow is imported, nor for another
    release, which then prints a few lines more.
  """
  tensorflow = sys.modules.get('tensorflow')
  level = os.environ[_LEVEL]
  if tensorflow is None or not level.isdigit():
    return False
  folder = tensorflow.sysconfig.get_lib()
  for path in glob.glob(os.path.join(folder, 'libtensorflow_framework.so*')):
    function = getattr(ctypes.CDLL(path), _SET_LEVEL, None)
    if function is not None:
      function(ctypes.c_int(int(level)))
      return True
  return False
