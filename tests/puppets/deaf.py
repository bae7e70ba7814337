"""Never reads its stdin and never says anything."""

import time

time.sleep(120)
