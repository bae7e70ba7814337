"""Appends argv[2], byte for byte as it comes, to the file argv[1]; exits with 3 when the file may not grow further."""

import errno
import os
import sys

file = os.open(sys.argv[1], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
left = sys.argv[2].encode()
try:
    while left:
        left = left[os.write(file, left) :]
except OSError as error:
    sys.exit(3 if error.errno == errno.EFBIG else 4)
