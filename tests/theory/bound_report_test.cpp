#include "theory/bound_report.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <sstream>

#include "base/errors.h"

namespace qsweep {
namespace {

/// The line that begins with `what`, the two values after it.
std::string line_of(const std::string& report, const std::string& what) {
  std::istringstream lines(report);
  for (std::string line; std::getline(lines, line);)
    if (line.starts_with(what)) return line;
  ADD_FAILURE() << "no line " << what << " in\n" << report;
  return {};
}

std::size_t columns(const std::string& line) {
  std::size_t count = 0;
  for (const char c : line) count += (c & 0xC0) != 0x80;  // code points of UTF-8
  return count;
}

TEST(BoundReport, fits_80_columns_and_aligns) {
  for (const char* weights : {"fp", "lab", "lat", "laq3", "log4"})
    for (const char* gradients : {"fp", "sq2", "sq8"})
      for (const double workers : {1.0, 16.0}) {
        BoundRequest request{.weights = weights, .gradients = gradients, .workers = workers};
        if (request.gradients == "sq2") request.clip = 3;
        request.dimension = 1067584, request.iterations = 1e7, request.lipschitz = 1e-9;
        std::istringstream lines(bound_report(request));
        for (std::string line; std::getline(lines, line);) EXPECT_LE(columns(line), 80U) << line;
      }
}

TEST(BoundReport, shows_the_constants) {
  const std::string report = bound_report({.dimension = 49, .weights = "lab", .gradients = "sq2"});
  EXPECT_NE(line_of(report, "weight resolution").find("          1           2 1"), std::string::npos) << report;
  EXPECT_NE(line_of(report, "gradient resolution").find("          1           1 1"), std::string::npos);
  EXPECT_NE(line_of(report, "slow-down factor").find("2 1"), std::string::npos);  // tight: √((1+7)/2)
  EXPECT_NE(line_of(report, "bound at T").find("theorem 2"), std::string::npos);
  EXPECT_NE(line_of(report, "diameters D").find("          7           7 weight"), std::string::npos);
}

TEST(BoundReport, full_precision_never_meets_a_floor) {
  const std::string report = bound_report({.weights = "fp"});
  EXPECT_NE(line_of(report, "iterations until term = floor").find("never       never"), std::string::npos) << report;
  EXPECT_NE(line_of(report, "  over full precision").find("          1           1 1"), std::string::npos);
  EXPECT_NE(line_of(report, "bound at T").find("theorem 1"), std::string::npos);
}

TEST(BoundReport, names_the_theorem_that_applies) {
  const BoundRequest clipped{.weights = "laq3", .gradients = "sq3", .clip = 3, .workers = 4};
  EXPECT_NE(line_of(bound_report(clipped), "bound at T").find("theorem 3"), std::string::npos);
  EXPECT_NE(bound_report(clipped).find("remark 1"), std::string::npos);
  EXPECT_NE(line_of(bound_report({.weights = "log3"}), "weight floor").find("none"), std::string::npos);  // not in the paper
}

TEST(BoundReport, rejects_what_it_does_not_know) {
  EXPECT_THROW(bound_report({.weights = "laq"}), ConfigError);
  EXPECT_THROW(bound_report({.gradients = "sq9"}), ConfigError);
  EXPECT_THROW(bound_report({.gradients = "fp", .clip = 3}), ConfigError);
  EXPECT_THROW(bound_report({.dimension = 0}), ConfigError);
  EXPECT_THROW(bound_report({.dimension = 2.5}), ConfigError);
  EXPECT_THROW(bound_report({.iterations = -1}), ConfigError);
  EXPECT_THROW(bound_report({.beta = 1}), ConfigError);
  EXPECT_THROW(bound_report({.eta = std::numeric_limits<double>::quiet_NaN()}), ConfigError);
  EXPECT_THROW(bound_report({.gradients = "sq2", .clip = 0}), ConfigError);
}

}  // namespace
}  // namespace qsweep
