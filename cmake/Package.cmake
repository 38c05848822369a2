# `cpack -G DEB` in a build folder makes onetap_<version>_amd64.deb. Needs dpkg-dev and python3 (scripts/setup package).
set(packaging ${CMAKE_SOURCE_DIR}/packaging)

install(TARGETS onetap RUNTIME DESTINATION bin)
install(PROGRAMS ${packaging}/backup DESTINATION lib/onetap)
install(PROGRAMS ${packaging}/onetap-as-service DESTINATION sbin)
file(GLOB units ${packaging}/systemd/*)
install(FILES ${units} DESTINATION /lib/systemd/system)
install(FILES ${packaging}/debian/copyright DESTINATION share/doc/onetap)
install(FILES ${CMAKE_SOURCE_DIR}/README.md ${CMAKE_SOURCE_DIR}/README.zh-CN.md DESTINATION share/doc/onetap)
# Beside the README, so that its links lead somewhere.
install(DIRECTORY ${CMAKE_SOURCE_DIR}/docs DESTINATION share/doc/onetap)
install(DIRECTORY DESTINATION /etc/onetap/credentials DIRECTORY_PERMISSIONS OWNER_READ OWNER_WRITE OWNER_EXECUTE)

# What the program itself knows best: its commands, flags and settings.
set(generated ${CMAKE_BINARY_DIR}/packaging)
install(CODE "
  execute_process(
    COMMAND python3 ${packaging}/help_pages.py $<TARGET_FILE:onetap> ${CMAKE_SOURCE_DIR} ${generated}
    COMMAND_ERROR_IS_FATAL ANY)")
install(FILES ${generated}/onetap.env DESTINATION /etc/onetap PERMISSIONS OWNER_READ OWNER_WRITE GROUP_READ)
install(FILES ${generated}/onetap.1.gz DESTINATION share/man/man1)
install(FILES ${generated}/onetap-as-service.8.gz DESTINATION share/man/man8)
install(FILES ${generated}/changelog.gz DESTINATION share/doc/onetap)
install(FILES ${generated}/onetap.bash DESTINATION share/bash-completion/completions RENAME onetap)
install(FILES ${generated}/_onetap DESTINATION share/zsh/vendor-completions)

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME onetap)
set(CPACK_PACKAGE_VERSION ${PROJECT_VERSION})
set(CPACK_PACKAGE_CONTACT "onetap's maintainers <onetap@localhost>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "exchanges a WeChat mini program's phone-number codes, each exactly once")
set(CPACK_DEBIAN_PACKAGE_DESCRIPTION
  "A server between a mini program's pages and WeChat's getuserphonenumber. Each
code is paid for and good once: its intent is durable before WeChat is asked,
and its outcome before the page hears of it. The ledger is an SQLite file with
views for the books.
.
onetap serve --sandbox tries it with a WeChat of its own, without money.")
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION net)
set(CPACK_DEBIAN_PACKAGE_PRIORITY optional)
set(CPACK_DEBIAN_PACKAGE_DEPENDS "adduser, ca-certificates")
set(CPACK_DEBIAN_PACKAGE_RECOMMENDS "systemd, sqlite3")
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_DEBIAN_PACKAGE_CONTROL_EXTRA
  ${packaging}/debian/conffiles ${packaging}/debian/postinst ${packaging}/debian/prerm ${packaging}/debian/postrm)
set(CPACK_INSTALL_PREFIX /usr)
set(CPACK_SET_DESTDIR ON)  # of /etc and /lib, too
set(CPACK_STRIP_FILES ON)
include(CPack)
