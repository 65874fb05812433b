"""The service, its page and queue, the command ``belowline``, and the audit of whole archives.

Its errors are children of ``belowline.model.BelowlineError``, each in the room that raises it::

    BelowlineError
    ├── SettingsError         settings               a setting is missing, malformed or unsafe
    ├── Problem               http.errors            a request gets an HTTP error; also an HTTPException
    ├── Refusal               store.refusal          a change is not allowed now; over HTTP it becomes a Problem
    ├── StoreError            store.database         the database cannot be reached or used
    ├── QueueFull             scoring.score_queue    too many comments wait for the model
    ├── ScoreQueueClosed      scoring.score_queue    the service is shutting down
    ├── PromotionRefused      active.promotion       a model is not promoted; the active one stays
    ├── ServerError           server.run             the service cannot listen
    ├── WorkerError           server.workers         worker processes cannot start
    ├── Undeliverable         webhooks.sender        a webhook delivery failed
    ├── WordPressError        wordpress.client       WordPress cannot be used
    ├── WriteError            batch.write            a file of results cannot be written
    ├── ExportError           training_data.export   decisions cannot be exported
    └── of belowline.serve.audit
        ├── AuditError        run                    an audit cannot be made
        ├── EngineError       engines                an engine cannot score
        ├── AuditFolderError  finished               a folder holds no finished audit
        ├── SampleError       review.sample          a sample cannot be drawn or read
        ├── SheetError        review.spreadsheet     a spreadsheet cannot be read
        ├── ReviewError       review.importing       a reviewed sample cannot be imported
        └── QueueError        to_queue               an audit's comments cannot be queued
"""
