// The viewer that a report consists of besides its data: hand-written, in viewer.html, viewer.css
// and viewer.js, and made part of the program when that is built (embed.cmake).
#pragma once

#include <string_view>

namespace redoubt::sim {

std::string_view viewer_html();
std::string_view viewer_css();
std::string_view viewer_js();

}  // namespace redoubt::sim
