#include <algorithm>
#include <dnnl.hpp>
#include <map>
#include <optional>

#include <stdexcept>

#include "model/blas.h"
#include "model/convolution.h"

/// All of oneDNN. Version 3 dropped the descriptors between parameters and primitive_desc; both interfaces are written here.
namespace qsweep {
namespace {

using Memory = dnnl::memory;
using Tag = Memory::format_tag;

struct Device {
  dnnl::engine engine{dnnl::engine::kind::cpu, 0};
  dnnl::stream stream{engine};
};

Device& device() {
  static Device d;
  return d;
}

bool has_avx512() {
  constexpr int core = 0x27;  // the bits of dnnl_cpu_isa_avx512_core: later sets contain them
  return (static_cast<int>(dnnl::get_effective_cpu_isa()) & core) == core;
}

Memory::dim dim(std::size_t n) { return static_cast<Memory::dim>(n); }

Memory::desc describe(std::size_t batch, const Image& i) {
  const Tag tag = i.block == 1 ? Tag::nchw : i.block == 16 ? Tag::nChw16c : Tag::nChw8c;
  return {{dim(batch), dim(i.channels), dim(i.height), dim(i.width)}, Memory::data_type::f32, tag};
}

using Forward = dnnl::convolution_forward;
using BackwardData = dnnl::convolution_backward_data;
using BackwardWeights = dnnl::convolution_backward_weights;

/// The shapes and paddings of one convolution, as oneDNN takes them.
struct Problem {
  Memory::desc x, w, b, y;
  Memory::dims strides, before, after;

  Forward::primitive_desc forward(dnnl::algorithm algorithm) const {
    const dnnl::primitive_attr attributes;
    const auto kind = dnnl::prop_kind::forward_training;
#if DNNL_VERSION_MAJOR >= 3
    return {device().engine, kind, algorithm, x, w, b, y, strides, before, after, attributes, true};
#else
    return {{kind, algorithm, x, w, b, y, strides, before, after}, attributes, device().engine, true};
#endif
  }
  BackwardData::primitive_desc backward_data(dnnl::algorithm algorithm, const Forward::primitive_desc& hint) const {
    const dnnl::primitive_attr attributes;
#if DNNL_VERSION_MAJOR >= 3
    return {device().engine, algorithm, x, w, y, strides, before, after, hint, attributes, true};
#else
    return {{algorithm, x, w, y, strides, before, after}, attributes, device().engine, hint, true};
#endif
  }
  BackwardWeights::primitive_desc backward_weights(dnnl::algorithm algorithm, const Forward::primitive_desc& hint) const {
    const dnnl::primitive_attr attributes;
#if DNNL_VERSION_MAJOR >= 3
    return {device().engine, algorithm, x, w, b, y, strides, before, after, hint, attributes, true};
#else
    return {{algorithm, x, w, b, y, strides, before, after}, attributes, device().engine, hint, true};
#endif
  }
};

constexpr auto direct = dnnl::algorithm::convolution_direct;
constexpr auto winograd = dnnl::algorithm::convolution_winograd;

/// Weights in one kernel's layout, and the way there from PyTorch's. Where they are the same, nothing is copied.
class Blocked {
 public:
  Blocked(const Memory::desc& plain, const Memory::desc& blocked) : plain_(plain, device().engine, nullptr), same_(plain == blocked) {
    blocked_ = same_ ? Memory(blocked, device().engine, nullptr) : Memory(blocked, device().engine);
    if (same_) return;
    in_ = dnnl::reorder(plain_, blocked_);
    out_ = dnnl::reorder(blocked_, plain_);
  }
  Memory& from(const float* w) {
    Memory& target = same_ ? blocked_ : plain_;
    target.set_data_handle(const_cast<float*>(w));  // only read
    if (!same_) in_.execute(device().stream, plain_, blocked_);
    return blocked_;
  }
  Memory& result(float* w) {  ///< where a kernel is to write; then call finish
    (same_ ? blocked_ : plain_).set_data_handle(w);
    return blocked_;
  }
  void finish() {
    if (!same_) out_.execute(device().stream, blocked_, plain_);
  }

 private:
  Memory plain_, blocked_;
  bool same_;
  dnnl::reorder in_, out_;
};

}  // namespace

std::size_t channel_block() { return has_avx512() ? 16 : 8; }

void add_product_transposed(std::size_t m, std::size_t n, std::size_t k, const float* a, const float* b, float* c) {
  const auto rows = static_cast<dnnl_dim_t>(m), columns = static_cast<dnnl_dim_t>(n), depth = static_cast<dnnl_dim_t>(k);
  const dnnl_status_t status = dnnl_sgemm('N', 'T', rows, columns, depth, 1, a, depth, b, depth, 1, c, columns);
  if (status != dnnl_success) throw std::runtime_error("dnnl_sgemm failed");
}

std::string onednn_version() {
  const dnnl_version_t* v = dnnl_version();
  return "oneDNN " + std::to_string(v->major) + "." + std::to_string(v->minor) + "." + std::to_string(v->patch);
}

std::string onednn_isa() {
  using Isa = dnnl::cpu_isa;
  switch (const Isa isa = dnnl::get_effective_cpu_isa()) {
    case Isa::sse41: return "SSE41";
    case Isa::avx: return "AVX";
    case Isa::avx2: return "AVX2";
    case Isa::avx2_vnni: return "AVX2_VNNI";
    case Isa::avx512_core: return "AVX512_CORE";
    case Isa::avx512_core_vnni: return "AVX512_CORE_VNNI";
    case Isa::avx512_core_bf16: return "AVX512_CORE_BF16";
    case Isa::avx512_core_amx: return "AVX512_CORE_AMX";
    default: return "ISA " + std::to_string(static_cast<unsigned>(isa));
  }
}

struct LibraryConvolution::Primitives {
  Problem problem;
  bool try_winograd, is_winograd = false;
  Forward::primitive_desc description;
  Forward forward;
  std::optional<BackwardData> backward_data;
  std::optional<BackwardWeights> backward_weights;
  std::optional<Blocked> forward_weights, data_weights, gradient;
  Memory x, y, dx, dy, bias, bias_gradient;

  Primitives(const Problem& p, bool use_winograd) : problem(p), try_winograd(use_winograd) {
    if (try_winograd) description = p.forward(winograd);
    is_winograd = static_cast<bool>(description);
    if (!description) description = p.forward(direct);
    forward = Forward(description);
    forward_weights.emplace(plain(), description.weights_desc());
    for (Memory* m : {&x, &dx}) *m = Memory(p.x, device().engine, nullptr);
    for (Memory* m : {&y, &dy}) *m = Memory(p.y, device().engine, nullptr);
    for (Memory* m : {&bias, &bias_gradient})
      if (!p.b.is_zero()) *m = Memory(p.b, device().engine, nullptr);
  }
  Memory::desc plain() const { return {problem.w.dims(), Memory::data_type::f32, problem.w.dims().size() == 4 ? Tag::oihw : Tag::goihw}; }

  /// Kernels of training, made when first asked for: evaluation does without.
  void prepare_data() {
    if (backward_data) return;
    BackwardData::primitive_desc d;
    if (try_winograd) d = problem.backward_data(winograd, description);
    if (!d) d = problem.backward_data(direct, description);
    backward_data.emplace(d);
    data_weights.emplace(plain(), d.weights_desc());
  }
  void prepare_weights() {
    if (backward_weights) return;
    BackwardWeights::primitive_desc d;
    if (try_winograd) d = problem.backward_weights(winograd, description);
    if (!d) d = problem.backward_weights(direct, description);
    backward_weights.emplace(d);
    gradient.emplace(plain(), d.diff_weights_desc());
  }
};

struct LibraryConvolution::Weights {
  std::map<std::size_t, Primitives> by_batch;
};

LibraryConvolution::LibraryConvolution(Layout& layout, const std::string& name, const Image& input, std::size_t outputs, const Window& window, bool bias,
                                       ConvolutionKind kind, const Initial& initial, std::size_t towers)
    : Convolution(layout, name, input, outputs, window, bias, initial, towers), kind_(kind), own_(std::make_unique<Weights>()) {}

LibraryConvolution::~LibraryConvolution() = default;

bool LibraryConvolution::is_winograd() const {
  return std::ranges::any_of(own_->by_batch, [](const auto& of_batch) { return of_batch.second.is_winograd; });
}

LibraryConvolution::Primitives& LibraryConvolution::primitives(std::size_t batch) {
  const auto found = own_->by_batch.find(batch);
  if (found != own_->by_batch.end()) return found->second;
  Memory::dims weights = {dim(output_.channels / towers_), dim(input_.channels / towers_), dim(window_.size), dim(window_.size)};
  if (towers_ > 1) weights.insert(weights.begin(), dim(towers_));
  Problem p;
  p.x = describe(batch, input_);
  p.y = describe(batch, output_);
  p.w = {weights, Memory::data_type::f32, Tag::any};
  if (has_bias_) p.b = {{dim(output_.channels)}, Memory::data_type::f32, Tag::x};
  p.strides = {dim(window_.stride), dim(window_.stride)};
  p.before = {dim(window_.before), dim(window_.before)};
  p.after = {dim(window_.after), dim(window_.after)};
  // Winograd pays where there are many channels and whole tiles of 4 × 4 outputs.
  const bool pays = input_.channels >= 32 && output_.channels >= 32 && output_.height >= 4 && output_.width >= 4;
  const bool use = kind_ == ConvolutionKind::winograd || (kind_ == ConvolutionKind::automatic && pays);
  return own_->by_batch.try_emplace(batch, p, use && window_.size == 3 && window_.stride == 1 && towers_ == 1).first->second;
}

void LibraryConvolution::forward(const Pass& pass, std::span<const float> x, std::span<float> y) {
  Primitives& p = primitives(pass.batch);
  p.x.set_data_handle(const_cast<float*>(x.data()));
  p.y.set_data_handle(y.data());
  std::unordered_map<int, Memory> arguments = {{DNNL_ARG_SRC, p.x}, {DNNL_ARG_WEIGHTS, p.forward_weights->from(&pass.w[weight_])}, {DNNL_ARG_DST, p.y}};
  if (has_bias_) {
    p.bias.set_data_handle(const_cast<float*>(&pass.w[bias_]));
    arguments.emplace(DNNL_ARG_BIAS, p.bias);
  }
  p.forward.execute(device().stream, arguments);
}

void LibraryConvolution::backward(const Pass& pass, std::span<const float> x, std::span<const float>, std::span<const float> dy, std::span<float> dx,
                                  std::span<float> gradient) {
  Primitives& p = primitives(pass.batch);
  p.prepare_weights();
  p.x.set_data_handle(const_cast<float*>(x.data()));
  p.dy.set_data_handle(const_cast<float*>(dy.data()));
  std::unordered_map<int, Memory> arguments = {{DNNL_ARG_SRC, p.x}, {DNNL_ARG_DIFF_DST, p.dy}, {DNNL_ARG_DIFF_WEIGHTS, p.gradient->result(&gradient[weight_])}};
  if (has_bias_) {
    p.bias_gradient.set_data_handle(&gradient[bias_]);
    arguments.emplace(DNNL_ARG_DIFF_BIAS, p.bias_gradient);
  }
  p.backward_weights->execute(device().stream, arguments);
  p.gradient->finish();
  if (dx.empty()) return;
  p.prepare_data();
  p.dx.set_data_handle(dx.data());
  p.backward_data->execute(device().stream,
                           {{DNNL_ARG_DIFF_DST, p.dy}, {DNNL_ARG_WEIGHTS, p.data_weights->from(&pass.w[weight_])}, {DNNL_ARG_DIFF_SRC, p.dx}});
}

}  // namespace qsweep
