"""The lowest floor: errors, random numbers, value ranges, channel groups, files."""
