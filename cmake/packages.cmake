# SPDX-License-Identifier: Apache-2.0
# Debian packages: what goes where, and CPack's words about it. script/package makes them of the Release build, after it wrote
# manual pages and changelogs to build/release/packages/.
include(GNUInstallDirs)
set(made ${CMAKE_BINARY_DIR}/packages)
set(from ${PROJECT_SOURCE_DIR}/deploy)

install(TARGETS berth RUNTIME DESTINATION bin COMPONENT client)
install(TARGETS berth-broker berth-allocator berth-gateway berth-reaper berth-scaler berth-projector RUNTIME DESTINATION bin COMPONENT server)
install(TARGETS berth-hostagent berth-proxy berth-workspace RUNTIME DESTINATION bin COMPONENT host)

foreach(part client server host)
    set(package berth-${part})
    if(part STREQUAL "client")
        set(package berth)
    endif()
    install(DIRECTORY ${made}/${part}/man/ DESTINATION share/man COMPONENT ${part} OPTIONAL)
    install(FILES ${made}/${part}/changelog.Debian.gz ${made}/copyright DESTINATION share/doc/${package} COMPONENT ${part} OPTIONAL)
endforeach()
install(FILES ${made}/berth.bash RENAME berth DESTINATION share/bash-completion/completions COMPONENT client OPTIONAL)

install(FILES ${from}/systemd/berth.target ${from}/systemd/berth-prepare.service ${from}/systemd/berth-broker.service
              ${from}/systemd/berth-allocator.service ${from}/systemd/berth-gateway.service ${from}/systemd/berth-reaper.service
              ${from}/systemd/berth-scaler.service ${from}/systemd/berth-projector.service DESTINATION /lib/systemd/system COMPONENT server)
install(FILES ${from}/systemd/berth-hostagent.service DESTINATION /lib/systemd/system COMPONENT host)
install(FILES ${from}/packages/berth-server.sysusers RENAME berth-server.conf DESTINATION lib/sysusers.d COMPONENT server)
install(FILES ${from}/packages/berth-server.tmpfiles RENAME berth-server.conf DESTINATION lib/tmpfiles.d COMPONENT server)
install(FILES ${from}/packages/berth.toml DESTINATION /etc/berth COMPONENT server)
install(FILES ${from}/berth.toml ${from}/prometheus/berth.rules.yml DESTINATION share/doc/berth-server/examples COMPONENT server)
install(DIRECTORY ${from}/front DESTINATION share/doc/berth-server/examples COMPONENT server)
install(FILES ${PROJECT_SOURCE_DIR}/docs/install.md RENAME README.md DESTINATION share/doc/berth-server COMPONENT server)
install(FILES ${PROJECT_SOURCE_DIR}/docs/machines.md RENAME README.md DESTINATION share/doc/berth-host COMPONENT host)

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME berth)
set(CPACK_PACKAGE_VERSION ${PROJECT_VERSION})
set(CPACK_PACKAGE_CONTACT "berth's maintainers <maintainers@berth.invalid>")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_COMPONENTS_ALL client server host)
set(CPACK_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_DEBIAN_ENABLE_COMPONENT_DEPENDS OFF)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_RELEASE 1)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_DEBIAN_PACKAGE_SECTION admin)
set(CPACK_DEBIAN_PACKAGE_HOMEPAGE "https://berth.invalid/")
set(CPACK_DEBIAN_COMPRESSION_TYPE xz)

set(CPACK_DEBIAN_CLIENT_PACKAGE_NAME berth)
set(CPACK_DEBIAN_CLIENT_PACKAGE_DEPENDS sensible-utils)
set(CPACK_COMPONENT_CLIENT_DESCRIPTION "development environments in the browser: command line
berth gives a ready development environment in the browser, on machines
that you own. This package is its command line: claim, open, stop and
extend workspaces, and look after hosts, pools, people and tokens.")
set(CPACK_DEBIAN_SERVER_PACKAGE_NAME berth-server)
set(CPACK_DEBIAN_SERVER_PACKAGE_DEPENDS "berth (= ${PROJECT_VERSION}-1), systemd | systemd-standalone-sysusers, init-system-helpers (>= 1.54)")
set(CPACK_DEBIAN_SERVER_PACKAGE_RECOMMENDS "systemd")
set(CPACK_COMPONENT_SERVER_DESCRIPTION "development environments in the browser: control plane
berth gives a ready development environment in the browser, on machines
that you own. This package is its control plane: broker, allocator,
gateway, reaper and scaler, as hardened systemd units of a user of
their own. Hosts of workspaces join it with berth-host.")
set(CPACK_DEBIAN_HOST_PACKAGE_NAME berth-host)
set(CPACK_DEBIAN_HOST_PACKAGE_DEPENDS "iptables, iproute2, init-system-helpers (>= 1.54)")
set(CPACK_DEBIAN_HOST_PACKAGE_RECOMMENDS "docker.io | docker-ce | podman, systemd")
set(CPACK_COMPONENT_HOST_DESCRIPTION "development environments in the browser: host of workspaces
berth gives a ready development environment in the browser, on machines
that you own. This package makes a machine a host of workspaces: an
agent that runs them in containers, and a proxy that lets each user
into their own. It joins a control plane with berth-hostagent join.")
foreach(part SERVER HOST)
    string(TOLOWER ${part} folder)
    file(MAKE_DIRECTORY ${CMAKE_BINARY_DIR}/control/${folder})
    foreach(script postinst prerm postrm)
        configure_file(${from}/packages/${folder}.${script} ${CMAKE_BINARY_DIR}/control/${folder}/${script} COPYONLY)
    endforeach()
    set(CPACK_DEBIAN_${part}_PACKAGE_CONTROL_EXTRA ${CMAKE_BINARY_DIR}/control/${folder}/postinst
        ${CMAKE_BINARY_DIR}/control/${folder}/prerm ${CMAKE_BINARY_DIR}/control/${folder}/postrm)
endforeach()
file(WRITE ${CMAKE_BINARY_DIR}/control/server/conffiles "/etc/berth/berth.toml\n")
list(APPEND CPACK_DEBIAN_SERVER_PACKAGE_CONTROL_EXTRA ${CMAKE_BINARY_DIR}/control/server/conffiles)
include(CPack)
