"""Figures of qsweep results: reading (the file), series (means over seeds), style (looks), and one module for each family of figures."""
