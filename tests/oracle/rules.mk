# The second implementation, checked against the published vectors.
CHECK_PROGRAMS += tests/oracle/check.py
