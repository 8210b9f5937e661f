#pragma once
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "base/layout.h"

/// What communication of one iteration would take on a network that is described by a few numbers: nodes with R ranks each, one worker
/// on each rank, P = nodes·R ranks in all; between nodes a link of each node with latency λ and bandwidth β, full duplex, under a switch that
/// is never the bottleneck; within a node λ₀ and β₀. Of a link's bandwidth 1,448 of 1,514 bytes are payload (TCP over Ethernet).
///
///   widening   the paper's Figure 8: log2 P steps in which sums are passed on, step j = 0 … log2 P − 1 with fields of m + j bits,
///              the first log2 R of them within the nodes; then one broadcast of ŵ:
///                T = Σ_j [λ_j + Σ_l n_l·(m + j)/β_j] + λ + Σ_l n_l·m_w/β,   32 bits for what is not quantized
///   allreduce  ring, B bits of packed fields: 2(P − 1) steps of λ + B/P/β; or, if that is less, log2 P steps of λ + B/β. In full
///              precision a chain of pieces of b bits, so that sums keep their order, then a broadcast: (P − 1)λ + (P − 2)b/β + 2B/β
///   server     all others' packed codes into rank 0's link, one broadcast of packed ŵ, pipelined:  2λ + (P − R)·B_g/β + B_w/β
///   sharded    codes to the owner of each slice, ŵ from there to all; a node's link carries what its R ranks exchange with others:
///                2λ + R·(P − R)/P·(B_g + B_w)/β
///   floats     MPI_Allreduce of floats, for comparison: the ring with B = 32d
/// In all but widening and floats, the reports of the workers (scales and losses) add log2 P·λ. No overlap of computing and communicating.
/// Source: Hou, Zhang, Kwok 2019, section 4.3 and Figure 8, after the performance model of Wen et al. 2017.
namespace qsweep {

struct ModelledNetwork {
  double bandwidth = 1e9, latency = 50e-6;           ///< between nodes: bit/s, s
  double node_bandwidth = 96e9, node_latency = 5e-6;  ///< within a node
};

struct ModelledCluster {
  std::size_t nodes = 1, ranks_per_node = 1;
  std::size_t ranks() const { return nodes * ranks_per_node; }
};

/// What one worker sends and receives. Layers in full precision travel as floats both ways.
struct ModelledTraffic {
  std::string exchange;            ///< widening, allreduce, server, sharded, floats
  std::size_t gradient_bits = 32;  ///< m; 32: full precision
  std::size_t weight_bits = 32;    ///< m_w
  std::size_t quantized = 0;       ///< elements of tensors whose gradient is quantized
  std::size_t quantized_weights = 0;
  std::size_t elements = 0;        ///< d
};

/// m of a gradient quantizer, fp or sq2 … sq8, and m_w of a weight quantizer; 32 for fp.
std::size_t bits_of_gradients(const std::string& quantizer);
std::size_t bits_of_weights(const std::string& quantizer);

/// Counts elements; `full_precision` names layers ("conv1") that are quantized neither way. ConfigError if there is no such layer.
ModelledTraffic modelled_traffic(const std::string& exchange, const Layout& layout, std::size_t gradient_bits, std::size_t weight_bits,
                                 const std::vector<std::string>& full_precision);

/// Seconds of one iteration; 0 for one rank.
double communication_time(const ModelledTraffic& traffic, const ModelledNetwork& network, const ModelledCluster& cluster);

}  // namespace qsweep
