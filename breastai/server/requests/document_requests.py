"""The handlers of requests about texts: configurations, which can be written, and what can only be read."""

import asyncio
import json
from typing import Any

from breastai.domain.config import Config, overlay, parse_config, preset, read_config_file
from breastai.domain.errors import ConfigInvalid, ConfigNotWritable, DocumentNotFound
from breastai.domain.events import ConfigChecked, ConfigDeleted, ConfigSaved, Document, DocumentsList, Event
from breastai.domain.faults import describe_fault
from breastai.domain.requests import CheckConfig, DeleteConfig, GetDocument, ListDocuments, SaveConfig
from breastai.domain.text import Text
from breastai.domain.v3_settings import nest_settings
from breastai.server.connections.broadcast import Client
from breastai.server.requests.request_registry import handles
from breastai.server.services import Services, workspace_config
from breastai.storage import documents
from breastai.storage.workspace import Workspace, atomic_write


@handles(SaveConfig)
async def save_config(services: Services, client: Client, request: SaveConfig) -> Event:
    if request.name is not None:
        return await asyncio.to_thread(_saved_under_name, services, request.name, request.config)
    return await asyncio.to_thread(_saved, services, request.config, request.whole)


def _saved(services: Services, values: dict[str, Any], whole: bool) -> ConfigSaved:
    workspace = services.workspace
    path = workspace.config_file
    before = read_config_file(path) if path.exists() else {}
    base = {"server": before.get("server", {})} if whole else before
    config = parse_config(overlay(base, nest_settings(values)))
    if config.server != parse_config({"server": before.get("server", {})}).server:
        # Else any page that may connect could open any folder, or the network.
        raise ConfigInvalid([describe_fault("server", Text("fault.server_section"))])
    services.data_roots.check_saved(config, [_readable(before)])
    content = json.dumps(config.model_dump(mode="json"), indent=2, ensure_ascii=False) + "\n"
    try:
        atomic_write(path, content.encode())
    except OSError as error:
        raise ConfigNotWritable(workspace.relative(path), error.strerror or str(error)) from None
    return ConfigSaved(config=config.model_dump(mode="json"), path=workspace.relative(path))


def _readable(values: dict[str, Any]) -> Config:
    """Return the configuration that values make, the defaults where they make none."""
    try:
        return parse_config(values)
    except ConfigInvalid:
        return Config()


def _saved_under_name(services: Services, name: str, values: dict[str, Any]) -> ConfigSaved:
    workspace = services.workspace
    values = nest_settings(values)
    own = [read_config_file(path) for path in (workspace.config_file,) if path.exists()]
    services.data_roots.check_saved(parse_config(values), [_readable(each) for each in own])
    path = documents.save_named_config(workspace, name, values)
    config = parse_config(values).model_dump(mode="json")
    return ConfigSaved(config=config, path=workspace.relative(path), name=name)


@handles(DeleteConfig)
async def delete_config(services: Services, client: Client, request: DeleteConfig) -> Event:
    await asyncio.to_thread(documents.delete_named_config, services.workspace, request.name)
    return ConfigDeleted(name=request.name)


@handles(CheckConfig)
async def check_config(services: Services, client: Client, request: CheckConfig) -> Event:
    faults = await asyncio.to_thread(_problems, services.workspace, request)
    return ConfigChecked(problems=[str(fault) for fault in faults], faults=faults)


def _problems(workspace: Workspace, request: CheckConfig) -> list[Text | str]:
    try:
        layers = [preset(request.preset)] if request.preset is not None else []
        layers.append(nest_settings(request.config))
        if request.whole:
            parse_config(overlay({}, *layers))
        else:
            workspace_config(workspace, *layers)
    except ConfigInvalid as error:
        return list(error.problems)
    return []


@handles(ListDocuments)
async def list_documents(services: Services, client: Client, request: ListDocuments) -> Event:
    return DocumentsList(documents=await asyncio.to_thread(documents.list_documents, services.workspace))


@handles(GetDocument)
async def get_document(services: Services, client: Client, request: GetDocument) -> Event:
    try:
        found = await asyncio.to_thread(documents.read_document, services.workspace, request.kind, request.name)
    except DocumentNotFound:
        if (request.kind, request.name) != ("config", documents.CONFIG_NAME):
            raise
        found = documents.Tail("{}\n", 0, False)  # the defaults hold, until something is saved
    return Document(
        kind=request.kind,
        name=request.name,
        text=found.text,
        size=found.size_bytes,
        cut=found.cut,
        editable=request.kind in documents.EDITABLE,
    )
