#pragma once
#include <cstddef>
#include <functional>
#include <numeric>
#include <string>
#include <vector>

/// How a network's parameters lie in one vector of d floats: tensors one after the other, without gaps.
namespace qsweep {

struct Tensor {
  std::string name;                ///< "fc1/weight", "fc1/bias", "bn1/weight": the path under final/weights
  std::vector<std::size_t> shape;  ///< as in PyTorch: dense [out, in]
  bool is_weight = false;          ///< multiplicative weight: may be quantized and projected; biases never are
  std::size_t offset = 0;          ///< first element in the vector
  std::size_t size = 0;            ///< number of elements

  std::size_t end() const { return offset + size; }
};

class Layout {
 public:
  void add(std::string name, std::vector<std::size_t> shape, bool is_weight) {
    const std::size_t size = std::accumulate(shape.begin(), shape.end(), std::size_t{1}, std::multiplies<>());
    tensors_.push_back({std::move(name), std::move(shape), is_weight, dimension_, size});
    dimension_ += size;
  }
  const std::vector<Tensor>& tensors() const { return tensors_; }
  std::size_t dimension() const { return dimension_; }  ///< d, all parameters

 private:
  std::vector<Tensor> tensors_;
  std::size_t dimension_ = 0;
};

}  // namespace qsweep
