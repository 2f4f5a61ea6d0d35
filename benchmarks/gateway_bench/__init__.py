"""The parts of the gateway benchmark: upstream, load, systems, accounts of CPU time and memory."""
