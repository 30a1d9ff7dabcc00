# SPDX-License-Identifier: Apache-2.0
"""Succeeds if a command ends with that status: status.py STATUS COMMAND..."""
import subprocess
import sys

status = subprocess.run(sys.argv[2:]).returncode
if status != int(sys.argv[1]):
    sys.exit(f"expected status {sys.argv[1]}, got {status}")
