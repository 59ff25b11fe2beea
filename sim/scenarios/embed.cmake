# Writes a source file that holds the scenario files: cmake -DOUT=FILE -DFOLDER=... -P embed.cmake
file(GLOB files ${FOLDER}/*.toml)
list(SORT files)
set(rows "")
foreach(file ${files})
  get_filename_component(name ${file} NAME)
  file(READ ${file} text)
  string(APPEND rows "    {\"${name}\", R\"toml(${text})toml\"},\n")
endforeach()
file(WRITE ${OUT}
  "// Made from sim/scenarios/*.toml.\n#include \"sim/scenario/spec_file.h\"\n\n"
  "namespace redoubt::sim {\n\n"
  "std::span<const ScenarioFile> builtin_scenarios() {\n"
  "  static constexpr ScenarioFile kFiles[] = {\n${rows}  };\n  return kFiles;\n}\n\n"
  "}  // namespace redoubt::sim\n")
