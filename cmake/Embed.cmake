# embed_files(<sources> <namespace> <name> <root> <file>…)
# Adds to the list <sources> a generated .cpp that defines, in <namespace>,
#   std::span<EmbeddedFile const> <name>();
# one element a file: its path below <root> and its text (see core/embedded_file.hpp).
function(embed_files sources namespace name root)
  set(output ${CMAKE_BINARY_DIR}/embedded/${name}.cpp)
  add_custom_command(
    OUTPUT ${output}
    COMMAND ${CMAKE_COMMAND} -Doutput=${output} -Dnamespace=${namespace} -Dname=${name}
            -Droot=${root} "-Dfiles=${ARGN}" -P ${CMAKE_SOURCE_DIR}/cmake/embed_script.cmake
    DEPENDS ${ARGN} ${CMAKE_SOURCE_DIR}/cmake/embed_script.cmake
    VERBATIM)
  set(${sources} ${${sources}} ${output} PARENT_SCOPE)
endfunction()
