"""Pure arithmetic of the machine: exchange, sync, reduction, memory."""
