"""A believable French territory that does not exist: deliveries as they would come, and the truth no delivery tells."""

from data_contracts.simulator.deliveries import write_deliveries, write_truth
from data_contracts.simulator.territory import Simulation, simulate

__all__ = ["Simulation", "simulate", "write_deliveries", "write_truth"]
