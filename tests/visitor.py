"""A visitor without a browser: a websocket that speaks Streamlit's own messages.

It opens a page as the browser does, learns the controls of the page from what is sent, moves them,
and says how long each answer took and how many bytes came.
"""

import asyncio
import json
import time
import urllib.request
from dataclasses import dataclass, field
from http.cookies import SimpleCookie

import websockets
from streamlit.proto.BackMsg_pb2 import BackendOperationRequest as BackOperation
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.Delta_pb2 import Delta
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.proto.WidgetStates_pb2 import WidgetState

KEEPALIVE = 20  # seconds without an answer after which a connection counts as lost


@dataclass(frozen=True)
class Answer:
    """What one message brought back: seconds until all of it was there, bytes, and errors."""

    seconds: float
    size: int
    runs: int
    errors: tuple[str, ...]


@dataclass
class Control:
    """A control of the page: its kind in Streamlit's messages, its fragment, its place."""

    id: str
    kind: str
    message: object
    fragment: str
    path: tuple[int, ...]


@dataclass
class Visitor:
    """One session; ``url`` is the server's, ``page`` the name in the address, "" for the first.

    ``cookie`` is what a proxy has given the browser, to be brought back.
    """

    url: str
    page: str = ""
    query: str = ""
    cookie: str = ""
    patience: float = 120  # seconds without a message after which an answer is given up
    controls: dict[str, Control] = field(default_factory=dict)
    texts: list[str] = field(default_factory=list)
    session: str = ""  # the server's word for it, a secret of this visitor
    received: bytearray | None = None  # all bytes that came, for who wants to search them
    kinds: dict[str, int] = field(default_factory=dict)  # bytes by kind of element
    _states: dict[str, WidgetState] = field(default_factory=dict)
    _known: dict[str, ForwardMsg] = field(default_factory=dict)
    _script: str = ""
    _drawn: set[str] = field(default_factory=set)  # controls of the newest run
    _place: tuple[int, ...] | None = None  # where it begins, once it has begun

    async def open(self) -> Answer:
        """Connect, and run the page for the first time."""
        self._socket = await websockets.connect(
            f"{self.url.replace('http', 'ws', 1)}/_stcore/stream",
            subprotocols=["streamlit"],
            max_size=None,
            ping_interval=KEEPALIVE,
            ping_timeout=KEEPALIVE,
            open_timeout=60,
            additional_headers={"Cookie": self.cookie} if self.cookie else None,
        )
        return await self.rerun()

    async def close(self) -> None:
        """Leave."""
        await self._socket.close()

    def control(self, key: str) -> Control:
        """The control with this key of ours, with this end of its identity, or with this label."""
        found = [each for name, each in self.controls.items() if name.endswith(f"-{key}")]
        found = found or [each for each in self.controls.values()
                          if getattr(each.message, "label", "") == key]  # fmt: skip
        if not found:
            raise LookupError(f"no control {key!r}; there are {', '.join(self.controls)}")
        return found[-1]

    async def move(self, key: str, value: object) -> Answer:
        """Set a control to a value and wait for the answer."""
        await self.send(key, value)
        return await self.answer()

    async def press(self, key: str) -> Answer:
        """Press a button and wait for the answer."""
        control = self.control(key)
        await self._ask(control.fragment, WidgetState(id=control.id, trigger_value=True))
        return await self.answer()

    async def tell(self, key: str, **values: object) -> Answer:
        """Let the script of a component say something, and wait for the answer."""
        control = self.control(key)
        self._states[control.id] = WidgetState(id=control.id, json_value=json.dumps(values))
        await self._ask(control.fragment)
        return await self.answer()

    async def upload(self, key: str, name: str, content: bytes) -> Answer:
        """Give an uploader a file and wait for the answer."""
        asked = BackMsg()
        asked.file_urls_request.file_names.append(name)
        asked.file_urls_request.session_id = self.session
        await self._socket.send(asked.SerializeToString())
        (urls,) = (await self._next("file_urls_response")).file_urls
        word = await asyncio.to_thread(self._xsrf_word)
        border = "-----border"
        head = (
            f'--{border}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n'
            f"Content-Type: application/octet-stream\r\n\r\n"
        )
        body = head.encode() + content + f"\r\n--{border}--\r\n".encode()
        request = urllib.request.Request(
            self.url + urls.upload_url,
            data=body,
            method="PUT",
            headers={
                "Content-Type": f"multipart/form-data; boundary={border}",
                "Cookie": "; ".join(filter(None, [f"_streamlit_xsrf={word}", self.cookie])),
                "X-Xsrftoken": word,
            },
        )
        await asyncio.to_thread(lambda: urllib.request.urlopen(request, timeout=30).close())
        control = self.control(key)
        state = WidgetState(id=control.id)
        state.file_uploader_state_value.uploaded_file_info.add(
            name=name, size=len(content), file_id=urls.file_id, file_urls=urls
        )
        self._states[control.id] = state
        await self._ask(control.fragment)
        return await self.answer()

    async def download(self, file_id: str, session: str = "") -> str:
        """Ask for a file that is made when it is asked for; its address, "" where it is refused."""
        asked = BackOperation(session_id=session or self.session)
        asked.deferred_file.file_id = file_id
        return (await self.operate(asked)).deferred_file.url

    async def operate(self, asked: BackOperation) -> object:
        """Ask for something besides the page; return the answer."""
        message = BackMsg(backend_operation_request=asked)
        await self._socket.send(message.SerializeToString())
        return await self._next("backend_operation_response")

    async def pretend(self, state: WidgetState) -> Answer:
        """Say this of a control, whoever's it is, and wait for the answer."""
        await self._ask("", state)
        return await self.answer()

    async def clear_cache(self) -> None:
        """Ask the server to forget what it keeps for all visitors, as a developer's browser may."""
        await self._socket.send(BackMsg(clear_cache=True).SerializeToString())

    async def send(self, key: str, value: object) -> None:
        """Set a control to a value."""
        control = self.control(key)
        self._states[control.id] = _state(control.id, value)
        await self._ask(control.fragment)

    async def refresh(self, key: str) -> Answer:
        """Run the fragment of a control again, as the browser does every half second."""
        await self._ask(self.control(key).fragment)
        return await self.answer()

    async def rerun(self) -> Answer:
        """Run the whole page again."""
        await self._ask("")
        return await self.answer()

    def _xsrf_word(self) -> str:
        """The word that shows that an upload comes from a page of this server."""
        with urllib.request.urlopen(f"{self.url}/_stcore/health", timeout=30) as answer:
            cookies = SimpleCookie("; ".join(answer.headers.get_all("Set-Cookie")))
            return cookies["_streamlit_xsrf"].value

    async def _next(self, kind: str) -> object:
        """The content of the next message of this kind; others are passed over."""
        while True:
            data = await asyncio.wait_for(self._socket.recv(), self.patience)
            message = ForwardMsg.FromString(data)
            if message.WhichOneof("type") == kind:
                return getattr(message, kind)

    async def _ask(self, fragment: str, *once: WidgetState) -> None:
        asked = BackMsg()
        state = asked.rerun_script
        state.query_string = self.query
        state.page_script_hash = self._script
        state.page_name = "" if self._script else self.page
        state.fragment_id = fragment
        state.cached_message_hashes.extend(self._known)
        state.widget_states.widgets.extend([*self._states.values(), *once])
        self._asked = time.monotonic()
        await self._socket.send(asked.SerializeToString())

    async def answer(self) -> Answer:
        """Wait until the script has finished, with all the runs that it asked for itself."""
        size, runs, errors = 0, 0, []
        while True:
            data = await asyncio.wait_for(self._socket.recv(), self.patience)
            size += len(data)
            if self.received is not None:
                self.received += data
            message = ForwardMsg.FromString(data)
            kind = message.WhichOneof("type")
            self.kinds[kind] = self.kinds.get(kind, 0) + len(data)
            if kind == "ref_hash":
                message = self._known[message.ref_hash]
                kind = message.WhichOneof("type")
            elif message.metadata.cacheable and message.hash:
                self._known[message.hash] = message
            if kind == "new_session":
                self.session = message.new_session.initialize.session_id or self.session
                self._drawn.clear()
                self._place = None
            elif kind == "navigation":
                self._script = message.navigation.page_script_hash
            elif kind == "delta":
                self._learn(message.delta, tuple(message.metadata.delta_path), errors)
            elif kind == "page_info_changed":
                self.query = message.page_info_changed.query_string
            elif kind == "script_finished":
                runs += 1
                if message.script_finished == ForwardMsg.FINISHED_SUCCESSFULLY:
                    self._forget(())
                elif message.script_finished == ForwardMsg.FINISHED_FRAGMENT_RUN_SUCCESSFULLY:
                    self._forget(self._place or ())
                if message.script_finished != ForwardMsg.FINISHED_EARLY_FOR_RERUN:
                    seconds = time.monotonic() - self._asked
                    return Answer(seconds, size, runs, tuple(errors))

    def _forget(self, place: tuple[int, ...]) -> None:
        """Forget the controls at a place, that of a fragment's box or (), that are not drawn now.

        The server gives no answer to one that is gone.
        """
        self.controls = {
            name: each
            for name, each in self.controls.items()
            if name in self._drawn or each.path[: len(place)] != place
        }

    def _learn(self, delta: Delta, path: tuple[int, ...], errors: list[str]) -> None:
        if self._place is None:
            self._place = path  # A fragment begins with the box that holds all of it.
        if delta.WhichOneof("type") != "new_element":
            return
        element = delta.new_element
        kind = element.WhichOneof("type")
        inner = getattr(element, kind)
        if kind == "exception":
            errors.append(f"{inner.type}: {inner.message}")
        elif kind in ("markdown", "alert", "heading"):
            self.texts.append(inner.body)
        name = getattr(inner, "id", "")
        if isinstance(name, str) and name.startswith("$$"):
            self._drawn.add(name)
            self.controls[name] = Control(name, kind, inner, delta.fragment_id, path)
        size = delta.ByteSize()
        self.kinds[kind] = self.kinds.get(kind, 0) + size


def _state(identity: str, value: object) -> WidgetState:
    state = WidgetState(id=identity)
    match value:
        case bool():
            state.bool_value = value
        case int():
            state.int_value = value
        case float():
            state.double_value = value
        case str():
            state.string_value = value
        case [float() | int(), *_]:
            state.double_array_value.data.extend(value)
        case [str(), *_]:
            state.string_array_value.data.extend(value)
        case _:
            raise ValueError(f"value must be a number, a text or a list of them, got {value!r}")
    return state
