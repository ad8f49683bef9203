"""Settings that TensorFlow reads when it is imported, after this module.

* When TensorFlow starts, it tells which libraries and processor features it
  found and did not find. Where the user has set TF_CPP_MIN_LOG_LEVEL, that
  holds: 0 shows all, such as why a GPU is not used.
* Its convolutions on a CPU are oneDNN's where it knows the processor to gain by
  them. Training here gains on others, too: a fifth on an AMD EPYC.
* It imports the Keras of `tf.keras`, which is Keras 3 by default; the networks
  here are made of tf_keras. To import both takes a second and a half more.
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
