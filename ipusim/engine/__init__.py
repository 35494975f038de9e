"""What a Program does: timing, execution, memory."""
