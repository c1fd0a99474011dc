"""The FastAPI application: lifespan, routers, middleware. `athanor api` and `athanor up` serve it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from threading import Semaphore

from anyio import CapacityLimiter
from fastapi import APIRouter, Depends, FastAPI

from api import docs_page, problems, queries
from api.auth import Authentication
from api.deps import Service, authenticate
from api.openapi import GUARDED, Documented
from api.request_limits import RequestLimits
from api.routes import (
    catalog,
    checkpoints,
    datasets,
    events,
    exports,
    forks,
    health,
    jobs,
    metrics,
    predictions,
    workers,
)
from api.slots import Slots
from api.uploads import ABANDONED, tidy
from api.warm_up import warm_up
from api.watcher import Watcher
from athanor.processes import confinement
from athanor.version import __version__
from models.broker import Broker
from models.records.database import Database
from models.serving.predictor_pool import MOST_PROCESSES, MOST_WAITING, PredictorPool
from models.settings import Settings
from models.storage.store import open_store

PREVIEWS, PREVIEW_WAIT = 4, 30
"""Previews that are read at once, and the seconds that another waits for one of them."""
FILE_PREDICTIONS, FILE_WAIT = 2, 60
"""The same for files of rows to predict."""
SUBMISSIONS, REHEARSALS = 8, 2
"""Requests for jobs and plans that are answered at once, and plans that are made at once."""


def create_app(settings: Settings, *, warms_up: bool = False) -> FastAPI:
    """Build the application. The database and the store are opened when its lifespan begins.

    With `warms_up` it also prepares for the first plan and the first prediction, which takes a processor for seconds.
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        confinement.warn()
        database = Database(settings.database)
        settings.scratch.mkdir(parents=True, exist_ok=True)
        tidy(settings.scratch, ABANDONED)
        store, limits = open_store(settings, database), settings.limits
        predictors = PredictorPool(
            settings.scratch, limits.max_predict_memory_bytes, limits.max_loaded_bytes, limits.predict_seconds
        )
        app.state.service = Service(
            settings=settings,
            database=database,
            store=store,
            broker=Broker(settings),
            intakes=Slots(limits.max_intakes, limits.intake_seconds, "the service reads other uploads"),
            previews=Slots(PREVIEWS, PREVIEW_WAIT, "the service reads other datasets"),
            exports=CapacityLimiter(limits.max_exports),
            predictors=predictors,
            predictions=CapacityLimiter(MOST_PROCESSES * MOST_WAITING),
            file_predictions=Slots(FILE_PREDICTIONS, FILE_WAIT, "the service predicts other files"),
            submissions=CapacityLimiter(SUBMISSIONS),
            rehearsals=Semaphore(REHEARSALS),
            watcher=Watcher(database),
        )
        with warm_up() if warms_up else nullcontext():
            yield
        predictors.close()
        database.close()

    app = Documented(
        title="Athanor",
        version=__version__,
        summary="Describe a model in JSON, POST it, watch it learn, download the weights.",
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        dependencies=[Depends(queries.check)],
        # A redirect would repeat the Host header of the request.
        redirect_slashes=False,
    )
    # This dependency requires a key for every route below /v1.
    guarded = APIRouter(prefix=GUARDED, dependencies=[Depends(authenticate)])
    for room in (datasets, jobs, forks, metrics, events, checkpoints, exports, predictions, catalog, workers):
        guarded.include_router(room.router)
    app.include_router(guarded)
    app.include_router(health.router)
    app.include_router(docs_page.router)
    # The last middleware is the outermost: the request gets its id and its body limit before the key is checked.
    app.add_middleware(Authentication)
    app.add_middleware(RequestLimits, limits=settings.limits)
    problems.install(app)
    return app


app = create_app(Settings(), warms_up=True)
