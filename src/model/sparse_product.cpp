#include "model/sparse_product.h"

#include <algorithm>

#include "model/blas.h"
#include "model/sparse_kernels.h"

namespace qsweep {
namespace {

/// Calls visit(first output, outputs, those filled up to whole vectors) for each panel.
template <class Visit>
void for_each_panel(std::size_t outputs, Visit visit) {
  const std::size_t panel = sparse_kernels().panel;
  for (std::size_t first = 0; first < outputs; first += panel) {
    const std::size_t count = std::min(panel, outputs - first);
    visit(first, count, (count + sparse_lanes - 1) / sparse_lanes * sparse_lanes);
  }
}

/// rows [count, width] = value(row, place) in the first `filled` places of each row, zero in the others.
template <class Value>
void fill_rows(std::vector<float>& rows, std::size_t count, std::size_t width, std::size_t filled, Value value) {
  rows.resize(count * width);
  for (std::size_t r = 0; r < count; ++r) {
    float* row = &rows[r * width];
    for (std::size_t p = 0; p < filled; ++p) row[p] = value(r, p);
    std::fill(row + filled, row + width, 0.0F);
  }
}

}  // namespace

void SparseProduct::find_rows(std::size_t batch, const float* x) {
  const std::size_t room = batch * inputs_ + sparse_lanes;
  if (rows_.values.size() < room) {
    rows_.places.resize(room);
    rows_.values.resize(room);
  }
  rows_.first.assign(1, 0);
  for (std::size_t b = 0; b < batch; ++b) {
    const std::size_t at = rows_.first.back();
    rows_.first.push_back(at + sparse_kernels().compress(inputs_, x + b * inputs_, background_.data(), &rows_.places[at], &rows_.values[at]));
  }
}

/// The same values sorted by column; in each the samples keep their order.
void SparseProduct::find_columns() {
  const std::size_t count = rows_.first.back(), batch = rows_.first.size() - 1;
  if (columns_.values.size() < count) {
    columns_.places.resize(count);
    columns_.values.resize(count);
  }
  columns_.first.assign(inputs_ + 1, 0);
  for (std::size_t k = 0; k < count; ++k) ++columns_.first[rows_.places[k] + 1];
  for (std::size_t i = 0; i < inputs_; ++i) columns_.first[i + 1] += columns_.first[i];
  next_.assign(columns_.first.begin(), columns_.first.end() - 1);
  for (std::size_t b = 0; b < batch; ++b)
    for (std::size_t k = rows_.first[b]; k < rows_.first[b + 1]; ++k) {
      const std::size_t at = next_[rows_.places[k]]++;
      columns_.places[at] = static_cast<std::uint32_t>(b);
      columns_.values[at] = rows_.values[k];
    }
}

void SparseProduct::add_product(const Lines& lines, std::size_t width) {
  const std::size_t count = lines.first.size() - 1;
  next_.resize(std::max(next_.size(), count));
  sparse_kernels().add_product({count, lines.first.data(), lines.places.data(), lines.values.data()}, table_.size() / width, table_.data(), width, out_.data(), next_.data());
}

void SparseProduct::add_product_transposed(std::size_t batch, const float* x, std::span<const float> background, const float* w, float* y) {
  background_.assign(background.begin(), background.end());
  find_rows(batch, x);
  std::vector<float> of_background(outputs_);
  multiply_vector(outputs_, inputs_, 1, w, background_.data(), 0, of_background.data());
  for_each_panel(outputs_, [&](std::size_t first, std::size_t count, std::size_t width) {
    table_.resize(inputs_ * width);
    sparse_kernels().transpose(count, inputs_, w + first * inputs_, inputs_, table_.data(), width);
    fill_rows(out_, batch, width, count, [&](std::size_t b, std::size_t o) { return y[b * outputs_ + first + o] + of_background[first + o]; });
    add_product(rows_, width);
    for (std::size_t b = 0; b < batch; ++b) std::copy_n(&out_[b * width], count, y + b * outputs_ + first);
  });
}

void SparseProduct::transposed_multiply(const float* dy, std::span<const float> sums, float* dw) {
  const std::size_t batch = rows_.first.size() - 1;
  find_columns();
  for_each_panel(outputs_, [&](std::size_t first, std::size_t count, std::size_t width) {
    fill_rows(table_, batch, width, count, [&](std::size_t b, std::size_t o) { return dy[b * outputs_ + first + o]; });
    fill_rows(out_, inputs_, width, count, [&](std::size_t i, std::size_t o) { return sums[first + o] * background_[i]; });
    add_product(columns_, width);
    sparse_kernels().transpose(inputs_, count, out_.data(), width, dw + first * inputs_, inputs_);
  });
}

}  // namespace qsweep
