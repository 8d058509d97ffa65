"""The Matplotlib backend of the page: Agg, and plt.show() shows what is open."""

from live_helper import show
from matplotlib.backends.backend_agg import FigureCanvasAgg as FigureCanvas

__all__ = ["FigureCanvas", "show"]
