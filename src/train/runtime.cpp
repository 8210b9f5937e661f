#include "train/runtime.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <numeric>

namespace qsweep {

std::size_t slowest_rank(const Runtime& runtime) {
  const auto busy = [&](std::size_t p) {
    const double* row = &runtime.rows[p * Runtime::columns];
    return row[static_cast<std::size_t>(Phase::compute)] + row[static_cast<std::size_t>(Phase::quantize)];
  };
  std::size_t slowest = 0;
  for (std::size_t p = 1; p < runtime.rows.size() / Runtime::columns; ++p)
    if (busy(p) > busy(slowest)) slowest = p;
  return slowest;
}

void Runtime::state(Archive& archive) {
  archive.shared("execution", rows);
  if (!archive.restores()) return;
  if (rows.empty() || rows.size() % columns != 0) archive.refuse("execution", "is no table of ranks");
  if (!std::ranges::all_of(rows, [](double x) { return x >= 0 && x < 0x1p63; })) archive.refuse("execution", "holds what is no time and no count");
}

Runtime gather_runtime(const Team& team, const Stopwatch& watch, const Traffic& traffic) {
  std::array<double, Runtime::columns> mine{};
  std::copy(watch.seconds().begin(), watch.seconds().end(), mine.begin());
  mine[phases] = static_cast<double>(traffic.bytes_sent);
  mine[phases + 1] = static_cast<double>(traffic.messages);
  const auto ranks = static_cast<std::size_t>(team.ranks());
  Runtime all{std::vector<double>(ranks * mine.size())};
  team.all_gather(mine, std::vector<int>(ranks, static_cast<int>(mine.size())), all.rows);
  return all;
}

Runtime dealt_out(const Runtime& before, std::size_t ranks) {
  Runtime now{std::vector<double>(ranks * Runtime::columns)};
  const std::size_t rows = before.rows.size() / Runtime::columns, slowest = rows == 0 ? 0 : slowest_rank(before) * Runtime::columns;
  for (std::size_t p = 0; p < ranks && rows != 0; ++p) std::copy_n(&before.rows[slowest], phases, &now.rows[p * Runtime::columns]);
  for (std::size_t p = 0; p < rows; ++p)
    for (std::size_t i = phases; i < Runtime::columns; ++i) now.rows[p % ranks * Runtime::columns + i] += before.rows[p * Runtime::columns + i];
  return now;
}

Runtime together(Runtime now, const Runtime& before) {
  for (std::size_t i = 0; i < before.rows.size(); ++i) now.rows[i] += before.rows[i];
  return now;
}

void describe(const Runtime& runtime, double samples, Record& record) {
  const std::size_t ranks = runtime.rows.size() / Runtime::columns;
  const auto of = [&](std::size_t p, std::size_t column) { return runtime.rows[p * Runtime::columns + column]; };
  const std::size_t slowest = slowest_rank(runtime);
  const auto scalar = [&](const std::string& path, const std::string& unit, const std::string& label, double value) { record.datasets.push_back({path, unit, label, {}, std::vector<double>{value}}); };
  double total = 0, training = 0;
  for (std::size_t i = 0; i < phases; ++i) {
    total += of(slowest, i);
    if (i <= static_cast<std::size_t>(Phase::update)) training += of(slowest, i);
    scalar(fmt::format("runtime/{}", phase_names[i]), "s", fmt::format("time in {}", phase_names[i]), of(slowest, i));
  }
  scalar("runtime/total", "s", "time of the run", total);
  scalar("runtime/samples_per_second", "1/s", "training samples per second", training > 0 ? samples / training : 0);
  std::vector<std::int64_t> bytes, messages;
  for (std::size_t p = 0; p < ranks; ++p) {
    bytes.push_back(static_cast<std::int64_t>(of(p, phases)));
    messages.push_back(static_cast<std::int64_t>(of(p, phases + 1)));
  }
  record.datasets.push_back({"traffic/bytes_sent", "B", "bytes that each rank gave to the exchange", {ranks}, bytes, {{"total", std::accumulate(bytes.begin(), bytes.end(), std::int64_t{0})}}});
  record.datasets.push_back({"traffic/messages", "1", "messages of each rank", {ranks}, messages});
}

}  // namespace qsweep
