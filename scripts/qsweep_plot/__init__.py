"""Figures of qsweep results: reading (the file), series (means over seeds), style and frame (looks), families of figures."""
