#pragma once
#include <memory>

#include "config/settings.h"
#include "data/images.h"
#include "model/model.h"
#include "model/plan.h"

/// The model that the settings of a run ask for.
namespace qsweep {

/// Shape of the model's inputs, by data set and crop, without reading it.
Geometry input_geometry(const Settings& settings);

/// The layers of a network (not of the linear model), nothing built yet.
NetworkPlan network_plan_of(const Settings& settings);

ConvolutionKind convolution_kind(const Settings& settings);

std::unique_ptr<Model> make_model(const Settings& settings);

}  // namespace qsweep
