"""What everything else stands on: errors, random numbers, value ranges, channel groups, files."""
